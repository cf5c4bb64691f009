import CleanCLIPKit
import Testing

@Suite struct ImagePreprocessorTests {
  @Test func resizeEqualsPillowsBicubic() throws {
    let expected = try ImageFixtures.expected("resized")
    let source = try expected.image("source")
    for (name, image) in expected.images where name != "source" {
      let resized = try source.resized(width: image.width, height: image.height)
      expectEqual(resized, image, name)
    }
  }

  @Test func preprocessingEqualsTorchvisionsTransform() throws {
    let expected = try ImageFixtures.expected("preprocessed")
    let preprocessor = ImagePreprocessor(imageSize: 24, ImagePreprocessing())
    #expect(expected.planes.count == 5)
    for (name, source) in expected.images {
      let square = preprocessor.resizedAndCropped(source)
      var pixels = [Float](repeating: .nan, count: 3 * 24 * 24)
      preprocessor.write(square, into: &pixels)
      let planes = try #require(expected.planes["\(name)-24"])
      #expect(pixels == planes, "\(name)")
    }
  }

  @Test func onePixelImagesFillTheSquare() {
    let preprocessor = ImagePreprocessor(
      imageSize: 8, ImagePreprocessing().withoutNormalization)
    let square = preprocessor.resizedAndCropped(RGBImage(width: 1, height: 1, red: 7, green: 8))
    #expect(square == RGBImage(width: 8, height: 8, red: 7, green: 8))
  }

  @Test func extremeStripsAreCroppedWithoutBeingEnlargedWhole() {
    let preprocessor = ImagePreprocessor(
      imageSize: 224, ImagePreprocessing().withoutNormalization)
    let strip = RGBImage(width: 65_535, height: 1, red: 50, green: 60, blue: 70)
    let square = preprocessor.resizedAndCropped(strip)
    #expect(square == RGBImage(width: 224, height: 224, red: 50, green: 60, blue: 70))
  }

  @Test func resizeToNothingIsAnError() {
    let image = RGBImage(width: 2, height: 2)
    #expect(throws: CLIPError.self) { try image.resized(width: 0, height: 5) }
    #expect(throws: CLIPError.self) { try image.resized(width: 5, height: 70_000) }
  }
}
