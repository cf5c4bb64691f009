import CleanCLIPKit
import Testing

@Suite struct ImageDecoderTests {
  /// JPEG and lossy WebP leave the last bit of each value to the version of the codec.
  private static func tolerance(_ name: String) -> Int {
    name.hasSuffix(".jpg") || name.contains("lossy") ? 2 : 0
  }

  @Test func everyKindOfFileDecodesToTheExpectedPixels() throws {
    let expected = try PictureFixtures.expected("decoded").pictures
    #expect(expected.count == 37)
    for (name, picture) in expected {
      let decoded = try ImageDecoder.decode(PictureFixtures.bytes(name), name: name)
      expectEqual(decoded.image, picture, tolerance: Self.tolerance(name), name)
    }
  }

  @Test func opaquePicturesComeWithoutNotes() throws {
    for name in ["rgb-420.jpg", "cmyk.jpg", "rgb16.png", "rgba-opaque.png", "lossy.webp"] {
      let decoded = try ImageDecoder.decode(PictureFixtures.bytes(name), name: name)
      #expect(decoded.notes.isEmpty, "\(name)")
    }
  }

  @Test func anAlphaChannelThatHidesAPictureIsReported() throws {
    let decoded = try ImageDecoder.decode(PictureFixtures.bytes("hidden.png"), name: "hidden.png")
    #expect(decoded.notes.contains(.transparent))
    let hidden = decoded.notes.compactMap { note in
      if case .hiddenPicture(let difference, let share) = note { (difference, share) } else { nil }
    }
    let (difference, share) = try #require(hidden.first)
    #expect(difference > 50)
    #expect(share > 0.9)
    #expect("\(decoded.notes)".contains("the alpha channel hides another picture"))
  }

  @Test func aTransparentBackgroundIsNotReportedAsAHiddenPicture() throws {
    for name in ["logo.png", "grey-key.png"] {
      let decoded = try ImageDecoder.decode(PictureFixtures.bytes(name), name: name)
      #expect(decoded.notes == [.transparent], "\(name)")
    }
  }

  @Test func anAnimationGivesItsFirstFrame() throws {
    let name = "animated.webp"
    let decoded = try ImageDecoder.decode(PictureFixtures.bytes(name), name: name)
    #expect(decoded.notes.contains(.animated))
  }

  @Test func theContentCountsAndNotTheName() throws {
    let bytes = try PictureFixtures.bytes("rgb8.png")
    let decoded = try ImageDecoder.decode(bytes, name: "picture.jpg")
    #expect(decoded.image.width == 31)
  }

  @Test func damagedJPEGDataIsWorkedAroundAndNoted() throws {
    var bytes = try PictureFixtures.bytes("rgb-444.jpg")
    // A restart marker in the middle of the scan, where no restarts were announced.
    bytes.replaceSubrange(900..<902, with: [0xFF, 0xD5])
    let decoded = try ImageDecoder.decode(bytes, name: "damaged.jpg")
    let words = decoded.notes.compactMap { note in
      if case .damaged(let words) = note { words } else { nil }
    }
    #expect(words.count == 1)
    #expect(words.first?.isEmpty == false)
  }
}
