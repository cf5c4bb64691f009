import CleanCLIPKit
import Testing

@Suite struct ImagePreprocessorTests {
  private static let mean: [Float] = [0.48145466, 0.4578275, 0.40821073]
  private static let standardDeviation: [Float] = [0.26862954, 0.26130258, 0.27577711]

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
    let preprocessor = ImagePreprocessor(
      imageSize: 24, mean: Self.mean, standardDeviation: Self.standardDeviation)
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
      imageSize: 8, mean: [0, 0, 0], standardDeviation: [1, 1, 1])
    let square = preprocessor.resizedAndCropped(RGBImage(width: 1, height: 1, red: 7, green: 8))
    #expect(square == RGBImage(width: 8, height: 8, red: 7, green: 8))
  }

  @Test func extremeStripsAreCroppedWithoutBeingEnlargedWhole() {
    let preprocessor = ImagePreprocessor(
      imageSize: 224, mean: [0, 0, 0], standardDeviation: [1, 1, 1])
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
