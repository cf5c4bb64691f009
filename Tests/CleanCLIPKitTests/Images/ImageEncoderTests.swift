import CleanCLIPKit
import Testing

@Suite struct ImageEncoderTests {
  private func scene() throws -> RGBImage {
    try ImageFixtures.expected("resized").image("source")
  }

  @Test func pngKeepsEveryPixel() throws {
    let source = try scene()
    let decoded = try ImageDecoder.decode(ImageEncoder.png(source), name: "round trip")
    #expect(decoded.image == source)
  }

  @Test func jpegKeepsTheImageAndQualityItsSize() throws {
    let source = try scene()
    let fine = try ImageEncoder.jpeg(source, quality: 95)
    let coarse = try ImageEncoder.jpeg(source, quality: 20)
    #expect(coarse.count < fine.count)
    let decoded = try ImageDecoder.decode(fine, name: "round trip").image
    #expect(decoded.width == source.width && decoded.height == source.height)
    let error = zip(decoded.pixels, source.pixels).map { abs(Int($0) - Int($1)) }.reduce(0, +)
    #expect(Double(error) / Double(source.pixels.count) < 12)
  }

  @Test func largeImagesGrowTheBuffer() throws {
    var random = RandomNumbers(seed: 5)
    let noise = RGBImage(
      width: 200, height: 150,
      pixels: (0..<90_000).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    #expect(try ImageDecoder.decode(ImageEncoder.png(noise), name: "noise").image == noise)
    let jpeg = try ImageEncoder.jpeg(noise, quality: 100)
    #expect(jpeg.count > 20_000)
    #expect(try ImageDecoder.decode(jpeg, name: "noise").image.height == 150)
  }

  @Test func qualityOutOfRangeIsAnError() throws {
    let source = try scene()
    for quality in [0, 101, -3] {
      let error = #expect(throws: CLIPError.self) {
        try ImageEncoder.jpeg(source, quality: quality)
      }
      #expect(
        error?.message == "JPEG: quality is out of range; expected 1 to 100, got \(quality)")
    }
  }
}
