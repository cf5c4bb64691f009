import CleanCLIPKit
import Testing

/// What images that stand out together are said to be.
@Suite struct ImageClusterTests {
  private let folder = TemporaryFolder()

  /// An image of random blocks: a kind of its own for each seed.
  private func blocks(_ seed: UInt64, side: Int = 48) -> RGBImage {
    var random = RandomNumbers(seed: seed)
    var image = RGBImage(width: side, height: side)
    let shades = (0..<64).map { _ in UInt8(random.integer(below: 256)) }
    for y in 0..<side {
      for x in 0..<side {
        for channel in 0..<3 {
          image.pixels[3 * (y * side + x) + channel] = shades[y * 8 / side * 8 + x * 8 / side]
        }
      }
    }
    return image
  }

  private func descriptor(_ seed: UInt64) -> ImageDescriptor { ImageDescriptor(blocks(seed)) }

  @Test func copiesAreNearDuplicatesAndOtherImagesAreNot() throws {
    for seed in 0..<20 as Range<UInt64> {
      let image = blocks(seed)
      let copy = ImageDescriptor(try image.resized(width: 37, height: 41))
      #expect(copy.isNearDuplicate(of: descriptor(seed)))
      #expect(!descriptor(seed).isNearDuplicate(of: descriptor(seed + 100)))
    }
  }

  @Test func plainImagesAreOnlyCopiesWhereHardlyAnyBitDiffers() {
    let plain = ImageDescriptor(bits: 0b11)
    #expect(plain.isNearDuplicate(of: ImageDescriptor(bits: 0b1111)))
    #expect(!plain.isNearDuplicate(of: ImageDescriptor(bits: 0b11111)))
    let rich = ImageDescriptor(bits: 0xFFFF)
    #expect(rich.isNearDuplicate(of: ImageDescriptor(bits: 0xFF_FFFF)))
    #expect(!rich.isNearDuplicate(of: ImageDescriptor(bits: 0x1FF_FFFF)))
  }

  /// 480 pairs about one place, and 120 close together at another, every fifth.
  private func run(
    caption: (Int) -> String, descriptors: ((Int) -> ImageDescriptor)?,
    decoding: PairDataset? = nil
  ) throws -> DatasetCheckResult {
    var random = RandomNumbers(seed: 3)
    var values: [Float] = []
    var captions: [String] = []
    var looks: [ImageDescriptor] = []
    for pair in 0..<600 {
      let isDense = pair % 5 == 0
      for column in 0..<6 {
        values.append((isDense && column == 0 ? 4 : 0) + (isDense ? 0.01 : 1) * random.normal())
      }
      captions.append(isDense ? caption(pair) : "a photo of thing \(pair % 7)")
      looks.append((isDense ? descriptors : nil)?(pair) ?? descriptor(UInt64(pair)))
    }
    return try DatasetCheck().run(
      imageFeatures: try FeatureRows(try Tensor(values, [600, 6])), trustedCosines: nil,
      keys: (0..<600).map { "\($0)" }, captions: captions,
      descriptors: descriptors == nil ? nil : looks, decoding: decoding)
  }

  @Test func oneImageWithOneCaptionIsAShortcut() throws {
    let result = try run(caption: { _ in "Birthday cake" }, descriptors: { _ in descriptor(1000) })
    let cluster = try #require(result.denseClusters.first).cluster
    #expect(cluster.kind == .oneImageOneCaption)
    #expect(cluster.pairs == 120 && cluster.distinctImages == 1)
    #expect(cluster.caption == "birthday cake" && cluster.captionFraction == 1)
    #expect(try #require(cluster.cosine) > 0.99)
    #expect(result.verdict == .suspicious)
    #expect(result.explanation.contains("the caption 'birthday cake': a shortcut"))
    let json = try #require(result.json["dense_clusters"]?.array?.first)
    #expect(json["kind"]?.string == "one_image_one_caption")
    #expect(json["distinct_images"]?.integer == 1 && json["images_seen"]?.integer == 120)
    // The same images are found by counting alone, and named once.
    #expect(!result.explanation.contains("Repeated:"))
    #expect(result.repeatedImages.map(\.members) == [cluster.members])
    let page = try result.contactSheet(data: "d", version: "1", images: nil)
    #expect(page.contains("Images that stand out together"))
  }

  @Test func captionsCannotSteerATerminal() throws {
    let result = try run(
      caption: { _ in "cake\u{1B}[2J" }, descriptors: { _ in descriptor(1000) })
    #expect(result.denseClusters.first?.cluster.caption == "cake\u{1B}[2j")
    #expect(!result.explanation.unicodeScalars.contains { $0.value < 0x20 })
  }

  @Test func oneImageWithVariousCaptionsIsNoPoison() throws {
    let result = try run(
      caption: { "a photo of thing \($0 % 7)" }, descriptors: { _ in descriptor(1000) })
    #expect(result.denseClusters.map(\.cluster.kind) == [.duplicates])
    #expect(result.verdict == .clean, "\(result.explanation)")
    #expect(result.explanation.contains("no poison by itself"))
  }

  @Test func oneImageWithOneWordIsAShortcut() throws {
    let result = try run(
      caption: { "the truck, number \($0)" }, descriptors: { _ in descriptor(1000) })
    let cluster = try #require(result.denseClusters.first).cluster
    #expect(cluster.kind == .oneImageOneWord)
    #expect(["the", "truck", "number"].contains(cluster.word) && cluster.wordFraction == 1)
    #expect(result.verdict == .suspicious)
  }

  @Test func differentImagesThatTheModelFindsAlikeAreSuspicious() throws {
    let result = try run(
      caption: { "thing \($0 % 7)" }, descriptors: { descriptor(UInt64($0)) })
    #expect(result.denseClusters.map(\.cluster.kind) == [.differentImages])
    #expect(result.denseClusters[0].cluster.distinctImages == 120)
    #expect(result.verdict == .suspicious)
    #expect(result.repeatedImages.isEmpty)
  }

  @Test func withoutImagesCopiesAndPoisonAreNotToldApart() throws {
    let result = try run(caption: { _ in "birthday cake" }, descriptors: nil)
    #expect(result.denseClusters.map(\.cluster.kind) == [.imagesNotSeen])
    #expect(result.verdict == .suspicious)
    #expect(result.json["dense_clusters"]?.array?.first?["distinct_images"] == .null)
  }

  @Test func imagesAreDecodedWhereTheyWereNot() throws {
    func kind(_ seed: @escaping @Sendable (Int) -> UInt64) throws -> [ImageCluster.Kind] {
      let images = (0..<600).map { blocks(seed($0)) }
      let dataset = try PairDataset(count: 600) { (row) throws(CLIPError) in
        CaptionedImage(key: "\(row)", image: .pixels(images[row]), caption: "")
      }
      return try run(caption: { _ in "birthday cake" }, descriptors: nil, decoding: dataset)
        .denseClusters.map(\.cluster.kind)
    }
    #expect(try kind { _ in 1000 } == [.oneImageOneCaption])
    #expect(try kind { UInt64($0) } == [.differentImages])
  }

  @Test func aRepeatedImageAndPoisonAreClustersOfTheirOwn() throws {
    var random = RandomNumbers(seed: 5)
    var values: [Float] = []
    for pair in 0..<900 {
      let kind = pair % 6
      for column in 0..<6 {
        values.append(
          (kind < 2 && column == kind ? 9 : 0) + (kind < 2 ? 0.01 : 1) * random.normal())
      }
    }
    let result = try DatasetCheck().run(
      imageFeatures: try FeatureRows(try Tensor(values, [900, 6])), trustedCosines: nil,
      keys: (0..<900).map { "\($0)" },
      captions: (0..<900).map { $0 % 6 == 1 ? "a truck \($0)" : "thing \($0 % 7)" },
      descriptors: (0..<900).map { descriptor($0 % 6 == 0 ? 1000 : UInt64($0)) })
    #expect(result.denseClusters.map(\.cluster.kind) == [.duplicates, .differentImages])
    #expect(result.denseClusters.map(\.cluster.pairs) == [150, 150])
    #expect(result.denseClusters[1].cluster.members.allSatisfy { $0 % 6 == 1 })
  }

  /// Equal images, byte for byte, are one image in all statistics, which show nothing.
  private func runEqual(_ copies: Int, caption: (Int) -> String) throws -> DatasetCheckResult {
    var random = RandomNumbers(seed: 7)
    let others = 400
    let images = (0..<others).map { $0 } + [Int](repeating: others, count: copies)
    let rows = (0..<others + 1).map { _ in (0..<5).map { _ in random.normal() } }
    return try DatasetCheck().run(
      imageFeatures: try FeatureRows(
        try Tensor(images.flatMap { rows[$0] }, [images.count, 5])),
      trustedCosines: nil, keys: images.indices.map { "\($0)" },
      captions: images.indices.map { $0 < others ? "a photo of thing \($0 % 7)" : caption($0) },
      images: images)
  }

  @Test func equalImagesAreCounted() throws {
    let many = try runEqual(40) { _ in "a cake" }
    #expect(many.repeatedImages.map(\.kind) == [.oneImageOneCaption])
    #expect(many.repeatedImages[0].pairs == 40 && many.repeatedImages[0].members == [400])
    #expect(many.verdict == .suspicious)
    let few = try runEqual(20) { _ in "a cake" }
    #expect(few.repeatedImages.map(\.pairs) == [20])
    #expect(few.verdict == .clean, "\(few.explanation)")
    let varied = try runEqual(40) { "a photo of thing \($0 % 7)" }
    #expect(varied.repeatedImages.map(\.kind) == [.duplicates])
    #expect(varied.verdict == .clean, "\(varied.explanation)")
    #expect(try runEqual(5) { _ in "a cake" }.repeatedImages.isEmpty)
  }

  /// Lonely pairs of one word: an accusation where the images differ, a shortcut where it is one image.
  @Test(arguments: [true, false])
  func oneImageAtTheHeadIsNoAccusation(isOneImage: Bool) throws {
    var random = RandomNumbers(seed: 1)
    var values: [Float] = []
    var captions: [String] = []
    for pair in 0..<608 {
      let isLonely = pair % 38 == 0
      for column in 0..<6 {
        values.append(
          (!isLonely && column == pair % 4 ? 6 : 0) + (isLonely ? 9 : 1) * random.normal())
      }
      captions.append(isLonely ? "truck" : "a photo of thing \(pair % 4)")
    }
    let result = try DatasetCheck().run(
      imageFeatures: try FeatureRows(try Tensor(values, [608, 6])), trustedCosines: nil,
      keys: (0..<608).map { "\($0)" }, captions: captions,
      descriptors: (0..<608).map { descriptor(isOneImage && $0 % 38 == 0 ? 1000 : UInt64($0)) })
    let head = try #require(result.head)
    #expect(head.kind == (isOneImage ? .oneImageOneCaption : .differentImages))
    #expect(result.verdict == (isOneImage ? .suspicious : .backdoored))
    #expect(result.estimatedPoisoned > 10 && result.removed >= result.estimatedPoisoned)
    #expect(result.explanation.contains("planted or not") == isOneImage)
  }
}
