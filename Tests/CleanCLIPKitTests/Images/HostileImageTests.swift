import CleanCLIPKit
import Testing

@Suite struct HostileImageTests {
  private static let names = [
    "rgb-420.jpg", "progressive.jpg", "cmyk.jpg", "rgb8.png", "rgba16-interlaced.png",
    "palette-alpha.png", "lossy.webp", "lossless.webp", "alpha-lossy.webp", "animated.webp",
  ]

  private func error(_ bytes: [UInt8], _ name: String = "image") -> CLIPError? {
    do {
      _ = try ImageDecoder.decode(bytes, name: name)
      return nil
    } catch {
      return error
    }
  }

  @Test func anEmptyFileIsAnError() {
    #expect(
      error([])?.message
        == "'image': the file is empty; expected a JPEG, PNG or WebP image, got 0 bytes")
  }

  @Test func garbageIsAnError() {
    #expect(
      error([1, 2, 3, 0xAB])?.message
        == "'image': not an image; expected JPEG, PNG or WebP, got bytes that start with "
        + "01 02 03 ab")
  }

  @Test func anotherFormatIsNamed() {
    let error = error(Array("GIF89a".utf8))
    #expect(error?.code == .unsupported)
    #expect(
      error?.message
        == "'image': the format is not read; expected JPEG, PNG or WebP, got GIF; convert the "
        + "image")
  }

  @Test(arguments: names) func aFileCutAnywhereIsAnError(name: String) throws {
    let whole = try ImageFixtures.bytes(name)
    // Pillow, too, takes a JPEG whose rows are all there: its last bytes are the end marker and, before
    // it, bits that fill up a byte. A baseline file cut there still decodes.
    let needed = name == "rgb-420.jpg" || name == "cmyk.jpg" ? whole.count - 4 : whole.count
    for count in 0..<needed {
      let error = error(Array(whole.prefix(count)), name)
      #expect(error?.code == .format, "\(name) cut to \(count) of \(whole.count) bytes")
    }
  }

  @Test(arguments: names) func changedBytesNeverTrap(name: String) throws {
    let whole = try ImageFixtures.bytes(name)
    var random = RandomNumbers(seed: 7)
    for _ in 0..<400 {
      var bytes = whole
      for _ in 0...random.integer(below: 4) {
        bytes[random.integer(below: bytes.count)] = UInt8(random.integer(below: 256))
      }
      _ = error(bytes, name)
    }
  }

  @Test func randomBytesBehindASignatureNeverTrap() {
    let signatures: [[UInt8]] = [
      [0xFF, 0xD8, 0xFF, 0xC0], [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A],
      Array("RIFF\0\u{1}\0\0WEBPVP8 ".utf8), Array("RIFF\0\u{1}\0\0WEBPVP8L".utf8),
      Array("RIFF\0\u{1}\0\0WEBPVP8X".utf8),
    ]
    var random = RandomNumbers(seed: 8)
    for signature in signatures {
      for _ in 0..<200 {
        let tail = (0..<300).map { _ in UInt8(random.integer(below: 256)) }
        #expect(error(signature + tail) != nil)
      }
    }
  }

  @Test func aPNGWithAWrongChecksumIsAnError() throws {
    var bytes = try ImageFixtures.bytes("rgb8.png")
    // Behind the pixels come IDAT's checksum and the 12 bytes of IEND.
    bytes[bytes.count - 13] ^= 1
    #expect(error(bytes)?.code == .format)
    var header = try ImageFixtures.bytes("rgb8.png")
    header[29] ^= 1
    #expect(error(header)?.message.contains("CRC") == true)
  }

  @Test func aJPEGOfHugeSizeIsRefusedFromItsHeader() throws {
    var bytes = try ImageFixtures.bytes("rgb-420.jpg")
    let frame = try #require(bytes.indices.first { bytes[$0...].starts(with: [0xFF, 0xC0]) })
    bytes.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0x00, 0xFF, 0x00])
    #expect(error(bytes)?.code == .unsupported)
    #expect(error(bytes)?.message.contains("the image is too large; expected at most") == true)
  }

  @Test func aPNGOfHugeSizeIsRefusedFromItsHeader() {
    for (width, height) in [(0x7FFF_FFFF, 0x7FFF_FFFF), (65_535, 65_535), (1, 70_000)] {
      let error = error(png(width: UInt32(width), height: UInt32(height)))
      #expect(error?.code == .unsupported)
      #expect(error?.message.contains("got \(width)x\(height)") == true)
    }
  }

  @Test func aPNGWithoutPixelsIsAnError() {
    #expect(error(png(width: 0, height: 5))?.code == .format)
    #expect(error(png(width: 5, height: 5))?.code == .format)
  }

  @Test func aWebPWhoseCanvasLiesIsAnError() throws {
    var bytes = try ImageFixtures.bytes("animated.webp")
    // VP8X: canvas width and height minus one, 24 bits each.
    bytes.replaceSubrange(24..<30, with: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
    #expect(error(bytes) != nil)
    bytes.replaceSubrange(24..<30, with: [9, 0, 0, 9, 0, 0])
    #expect(error(bytes) != nil)
  }

  /// A PNG header with its checksum, and the start of a chunk of pixels.
  private func png(width: UInt32, height: UInt32) -> [UInt8] {
    let size = [width, height].flatMap { value in
      (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
    }
    let header = Array("IHDR".utf8) + size + [8, 2, 0, 0, 0]
    var checksum: UInt32 = 0xFFFF_FFFF
    for byte in header {
      checksum ^= UInt32(byte)
      for _ in 0..<8 { checksum = checksum & 1 == 1 ? checksum >> 1 ^ 0xEDB8_8320 : checksum >> 1 }
    }
    let tail = (0..<4).map { UInt8(truncatingIfNeeded: ~checksum >> (24 - 8 * $0)) }
    return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13] + header + tail
      + [0, 0, 0, 9] + Array("IDAT".utf8)
  }
}
