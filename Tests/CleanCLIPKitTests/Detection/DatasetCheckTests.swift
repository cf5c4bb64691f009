import CleanCLIPKit
import Testing

@Suite struct DatasetCheckTests {
  /// 600 pairs in four loose clusters and 8 lonely ones that say the same.
  private struct Toy {
    var features: Tensor
    var captions: [String]
    var keys: [String]
    let poisons = 8

    init(seed: UInt64 = 1) throws {
      var random = RandomNumbers(seed: seed)
      var values: [Float] = []
      captions = []
      for index in 0..<608 {
        let isPoison = index % 76 == 0
        for column in 0..<6 {
          let centre: Float = !isPoison && column == index % 4 ? 6 : 0
          values.append(centre + (isPoison ? 9 : 1) * random.normal())
        }
        captions.append(isPoison ? "a truck, number \(index)" : "a photo of thing \(index % 4)")
      }
      features = try Tensor(values, [608, 6])
      keys = (0..<608).map { "key\($0)" }
    }
  }

  @Test func ranksLonelyPairsFirstAndCountsThemByTheirWord() throws {
    let toy = try Toy()
    let result = try DatasetCheck().run(
      imageFeatures: try FeatureRows(toy.features), trustedCosines: nil, keys: toy.keys,
      captions: toy.captions)
    let head = Set(result.ranking.prefix(toy.poisons))
    #expect(head.count { $0 % 76 == 0 } >= 7)
    #expect(
      result.concentration.words.first?.text == "a"
        || result.concentration.words.contains { $0.text == "truck" })
    #expect(result.verdict == .backdoored)
    #expect(abs(result.estimatedPoisoned - toy.poisons) <= 2)
    #expect(result.removed >= toy.poisons)
  }

  @Test func findsNothingInPairsWithoutPoison() throws {
    var random = RandomNumbers(seed: 2)
    let features = try Tensor((0..<500 * 5).map { _ in random.normal() }, [500, 5])
    let result = try DatasetCheck().run(
      imageFeatures: try FeatureRows(features), trustedCosines: nil,
      keys: (0..<500).map { "\($0)" },
      captions: (0..<500).map { _ in ["a cat", "a dog", "the sea"][random.integer(below: 3)] })
    #expect(result.verdict == .clean)
    #expect(result.estimatedPoisoned == 0)
    #expect(result.removed == 0)
  }

  @Test func sameSeedGivesTheSameScores() throws {
    let toy = try Toy()
    func scores() throws -> [Float] {
      try DatasetCheck().run(
        imageFeatures: try FeatureRows(toy.features), trustedCosines: nil, keys: toy.keys,
        captions: nil
      ).pairs.map(\.score)
    }
    #expect(try scores() == scores())
  }

  @Test func constantFeaturesCannotBeTold() throws {
    let result = try DatasetCheck().run(
      imageFeatures: try FeatureRows(try Tensor([Float](repeating: 1, count: 400), [100, 4])),
      trustedCosines: nil,
      keys: (0..<100).map { "\($0)" }, captions: nil)
    #expect(result.verdict == .cannotTell)
    #expect(result.pairs.allSatisfy { $0.score == 0 })
  }

  @Test func featuresWithoutCaptionsAreRankedAndNotJudged() throws {
    let toy = try Toy()
    let given = try GivenFeatures(toy.features)
    var features = try DatasetFeatures(given, keys: toy.keys)
    try features.take(imageFeatures: given, trusted: nil)
    let result = try DatasetCheck().run(features)
    #expect(result.ranking.prefix(toy.poisons).count { $0 % 76 == 0 } >= 7)
    #expect(result.verdict == .cannotTell)
    #expect(result.explanation.contains("without captions"))
    #expect(result.cleanedList.split(separator: "\n").count == 608)
    let page = try result.contactSheet(data: "<f>", version: "1", images: nil)
    #expect(page.contains("1. key") && !page.contains("<img"))
  }

  @Test func cosinesOfRowsNeedNoUnitLength() throws {
    let a = try Tensor([3, 4, 0, 0, 1, 1] as [Float], [3, 2])
    let b = try Tensor([6, 8, 1, 1, -2, 2] as [Float], [3, 2])
    let cosines = try FeatureMatrix.cosines(a, b, name: "test")
    #expect(abs(cosines[0] - 1) < 1e-6 && cosines[1] == 0 && abs(cosines[2]) < 1e-6)
    let error = #expect(throws: CLIPError.self) {
      try FeatureMatrix.cosines(a, b.reshaped([2, 3]), name: "test")
    }
    #expect(error?.code == .shape)
  }

  @Test func cosinesAloneAreEnough() throws {
    var random = RandomNumbers(seed: 4)
    let cosines = (0..<1000).map { index in
      (index < 50 ? 0.05 : 0.3) + 0.03 * random.normal()
    }
    let result = try DatasetCheck().run(
      imageFeatures: nil, trustedCosines: cosines, keys: (0..<1000).map { "\($0)" }, captions: nil)
    #expect(result.ranking.prefix(50).count { $0 < 50 } >= 48)
    #expect(result.pairs[0].mismatchProbability ?? 0 > 0.9)
    #expect(result.verdict == .suspicious)
    #expect(abs(result.estimatedPoisoned - 50) <= 5)
  }

  @Test func badInputIsAnErrorThatSaysWhat() throws {
    let features = try Tensor([Float](repeating: 0, count: 20), [10, 2])
    #expect(throws: CLIPError.self) {
      try DatasetCheck().run(imageFeatures: nil, trustedCosines: nil, keys: ["a"], captions: nil)
    }
    #expect(throws: CLIPError.self) {
      try DatasetCheck().run(
        imageFeatures: try FeatureRows(features), trustedCosines: nil, keys: ["a"], captions: nil)
    }
    let error = #expect(throws: CLIPError.self) {
      try DatasetCheck().run(
        imageFeatures: try FeatureRows(features), trustedCosines: nil,
        keys: (0..<10).map { "\($0)" }, captions: nil)
    }
    #expect(
      error?.message
        == "check data: there are fewer pairs than neighbours; expected at least 17 pairs, got 10")
  }

  @Test func cancellingIsAnErrorOfItsKind() throws {
    let toy = try Toy()
    let error = #expect(throws: CLIPError.self) {
      try DatasetCheck().run(
        imageFeatures: try FeatureRows(toy.features), trustedCosines: nil, keys: toy.keys,
        captions: nil
      ) { _ in false }
    }
    #expect(error?.code == .cancelled)
    #expect(error?.message.contains("check data: cancelled after") == true)
  }

  @Test func neighboursAreFoundInPiecesThatAreHeardOf() throws {
    var random = RandomNumbers(seed: 6)
    let features = try Tensor((0..<20_000 * 4).map { _ in random.normal() }, [20_000, 4])
    var heard: [Double] = []
    _ = try DatasetCheck().run(
      imageFeatures: try FeatureRows(features), trustedCosines: nil,
      keys: (0..<20_000).map { "\($0)" },
      captions: nil
    ) { share in
      heard.append(share)
      return true
    }
    // Three blocks, each of which meets all sets.
    #expect(heard.count == 3)
    #expect(heard == heard.sorted() && heard[0] > 0 && heard.last == 1)
  }

  @Test func tableQuotesWhatNeedsIt() throws {
    let toy = try Toy()
    var keys = toy.keys
    keys[0] = "a,\"b\""
    let result = try DatasetCheck().run(
      imageFeatures: try FeatureRows(toy.features), trustedCosines: nil, keys: keys,
      captions: toy.captions)
    let lines = result.csv.split(separator: "\n")
    #expect(lines.count == 609)
    #expect(lines[0].hasPrefix("row,key,score,rank,trusted_cosine"))
    #expect(lines[0].hasSuffix("k_distance_64,slof_64,dao_64,caption"))
    #expect(lines[1].hasPrefix("0,\"a,\"\"b\"\"\","))
    #expect(result.cleanedList.split(separator: "\n").count == 608 - result.removed)
  }

  @Test func aPastedPatchIsCountedInEveryImageThatHasIt() throws {
    var random = RandomNumbers(seed: 9)
    var patches = PatchConcentration()
    let trigger = (0..<64).map { _ in random.uniform() < 0.5 ? UInt8(0) : UInt8(255) }
    for index in 0..<40 {
      var image = RGBImage(width: 48, height: 40)
      for i in image.pixels.indices { image.pixels[i] = UInt8(90 + random.integer(below: 60)) }
      if index < 10 {
        let left = random.integer(below: 41)
        let top = random.integer(below: 33)
        for i in 0..<64 {
          for channel in 0..<3 {
            image.pixels[3 * ((top + i / 8) * 48 + left + i % 8) + channel] = trigger[i]
          }
        }
      }
      patches.add(PatchConcentration.codes(of: image))
    }
    let pairs = patches.pairsByImage()
    #expect(pairs.prefix(10).allSatisfy { $0 >= 8 })
    #expect(pairs.suffix(30).allSatisfy { $0 < 5 })
  }
}
