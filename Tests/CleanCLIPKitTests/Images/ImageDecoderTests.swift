import CleanCLIPKit
import Testing

@Suite struct ImageDecoderTests {
  /// JPEG and lossy WebP leave the last bit of each value to the version of the codec.
  private static func tolerance(_ name: String) -> Int {
    name.hasSuffix(".jpg") || name.contains("lossy") ? 2 : 0
  }

  @Test func everyKindOfFileDecodesToTheExpectedPixels() throws {
    let expected = try ImageFixtures.expected("decoded").images
    #expect(expected.count == 37)
    for (name, image) in expected {
      let decoded = try ImageDecoder.decode(ImageFixtures.bytes(name), name: name)
      expectEqual(decoded.image, image, tolerance: Self.tolerance(name), name)
    }
  }

  @Test func opaqueImagesComeWithoutNotes() throws {
    for name in ["rgb-420.jpg", "cmyk.jpg", "rgb16.png", "rgba-opaque.png", "lossy.webp"] {
      let decoded = try ImageDecoder.decode(ImageFixtures.bytes(name), name: name)
      #expect(decoded.notes.isEmpty, "\(name)")
    }
  }

  @Test func anAlphaChannelThatHidesAImageIsReported() throws {
    let decoded = try ImageDecoder.decode(ImageFixtures.bytes("hidden.png"), name: "hidden.png")
    #expect(decoded.notes.contains(.transparent))
    let hidden = decoded.notes.compactMap { note in
      if case .hiddenImage(let difference, let share) = note { (difference, share) } else { nil }
    }
    let (difference, share) = try #require(hidden.first)
    #expect(difference > 50)
    #expect(share > 0.9)
    #expect("\(decoded.notes)".contains("the alpha channel hides another image"))
  }

  @Test func aTransparentBackgroundIsNotReportedAsAHiddenImage() throws {
    for name in ["logo.png", "grey-key.png"] {
      let decoded = try ImageDecoder.decode(ImageFixtures.bytes(name), name: name)
      #expect(decoded.notes == [.transparent], "\(name)")
    }
  }

  @Test func anAnimationGivesItsFirstFrame() throws {
    let name = "animated.webp"
    let decoded = try ImageDecoder.decode(ImageFixtures.bytes(name), name: name)
    #expect(decoded.notes.contains(.animated))
  }

  @Test func theContentCountsAndNotTheName() throws {
    let bytes = try ImageFixtures.bytes("rgb8.png")
    let decoded = try ImageDecoder.decode(bytes, name: "image.jpg")
    #expect(decoded.image.width == 31)
  }

  @Test func damagedJPEGDataIsWorkedAroundAndNoted() throws {
    var bytes = try ImageFixtures.bytes("rgb-444.jpg")
    // A restart marker in the middle of the scan, where no restarts were announced.
    bytes.replaceSubrange(900..<902, with: [0xFF, 0xD5])
    let decoded = try ImageDecoder.decode(bytes, name: "damaged.jpg")
    let words = decoded.notes.compactMap { note in
      if case .damaged(let words) = note { words } else { nil }
    }
    #expect(words.count == 1)
    #expect(words.first?.isEmpty == false)
  }

  @Test func manyThreadsDecodeAndAugmentTheSame() async throws {
    let names = ["rgb-420.jpg", "rgb8-interlaced.png", "lossless.webp", "rgba8.png"]
    let images = try await withThrowingTaskGroup(of: (Int, RGBImage).self) { group in
      for task in 0..<64 {
        let index = task % names.count
        let bytes = try ImageFixtures.bytes(names[index])
        group.addTask {
          let image = try ImageDecoder.decode(bytes, name: names[index]).image
          var random = RandomNumbers(seed: 1, UInt64(index))
          return (index, try AutoAugment.apply(image, using: &random).resized(width: 50, height: 9))
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    for (index, image) in images {
      #expect(image == images.first { $0.0 == index }?.1)
    }
  }
}
