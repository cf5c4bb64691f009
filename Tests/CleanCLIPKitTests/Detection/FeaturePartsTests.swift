import CleanCLIPKit
import Glibc
import Testing

@Suite struct FeaturePartsTests {
  private let folder = TemporaryFolder()

  /// 700 rows of 5 numbers around four places, with keys and captions.
  private struct Toy {
    let features: Tensor
    let keys: [String]
    let captions: [String]

    init() throws {
      var random = RandomNumbers(seed: 3)
      features = try Tensor(
        (0..<700 * 5).map { 3 * Float($0 / 5 % 4) + random.normal() }, [700, 5])
      keys = (0..<700).map { "images/\($0).jpg" }
      captions = (0..<700).map { "a thing, number \($0)" }
    }

    /// Rows as a part of their own.
    func part(_ rows: [Int]) throws -> FeaturePartFile {
      var part = FeaturePartFile()
      part.imageFeatures = try Tensor(rows.flatMap { row($0) }, [rows.count, 5])
      part.keys = rows.map { keys[$0] }
      part.captions = rows.map { captions[$0] }
      return part
    }

    func row(_ index: Int) -> [Float] { Array(features.floats()[index * 5..<index * 5 + 5]) }
  }

  private func write(
    _ part: FeaturePartFile, _ name: String, seed: UInt64 = 1, isNormalized: Bool = false
  ) throws {
    try part.write(
      to: folder.file(name), model: try tinyModel(seed: seed), isNormalized: isNormalized)
  }

  private func result(
    _ parts: [String], keys: [String]? = nil, _ check: DatasetCheck = DatasetCheck()
  ) throws -> DatasetCheckResult {
    let given = try FeatureParts(parts).imageFeatures()
    var features = try DatasetFeatures(given, keys: keys)
    try features.take(imageFeatures: given, trusted: nil)
    return try check.run(features)
  }

  @Test func partsGiveTheBitsOfOneArray() throws {
    let toy = try Toy()
    let whole = try DatasetCheck().run(
      imageFeatures: FeatureRows(toy.features), trustedCosines: nil, keys: toy.keys,
      captions: toy.captions)
    try write(toy.part(Array(0..<300)), "parts-0.safetensors")
    try write(toy.part(Array(300..<700)), "parts-1.safetensors")
    let joined = try result([folder.file("parts-*.safetensors")])
    #expect(joined.csv == whole.csv)
    #expect(joined.json == whole.json)
  }

  @Test func keysPutRowsInTheOrderOfThePairs() throws {
    let toy = try Toy()
    try write(toy.part(Array((0..<700).filter { $0 % 3 == 1 }.reversed())), "a.safetensors")
    try write(toy.part((0..<700).filter { $0 % 3 != 1 }), "b.safetensors")
    let joined = try result([folder.path], keys: toy.keys)
    let whole = try DatasetCheck().run(
      imageFeatures: FeatureRows(toy.features), trustedCosines: nil, keys: toy.keys,
      captions: toy.captions)
    #expect(joined.csv == whole.csv)
  }

  @Test func arraysHaveTheirKeysBesideThem() throws {
    let toy = try Toy()
    for (name, rows) in [("b", 0..<200), ("a", 200..<700)] {
      try NumPyFile.write(toy.features.slice(rows), to: folder.file("\(name).npy"))
      try AtomicFile.write(
        toy.keys[rows].joined(separator: "\n") + "\n", to: folder.file("\(name).txt"))
    }
    let joined = try result([folder.path], keys: toy.keys)
    let whole = try DatasetCheck().run(
      imageFeatures: FeatureRows(toy.features), trustedCosines: nil, keys: toy.keys, captions: nil)
    #expect(joined.csv == whole.csv)
    try AtomicFile.write("one\n", to: folder.file("a.txt"))
    #expect(try message { try result([folder.path]) }.contains("expected 500 lines"))
  }

  @Test func halvesByATrustedCheckpointGiveTheCosines() throws {
    let toy = try Toy()
    for (name, rows) in [("a", [0, 1, 2]), ("b", [3, 4])] {
      var part = try toy.part(rows)
      part.textFeatures = try Tensor(rows.flatMap { toy.row($0 + 10) }, [rows.count, 5])
      try write(part, "\(name).safetensors")
    }
    let trusted = try FeatureParts([folder.path]).trustedHalves()
    var features = try DatasetFeatures(trusted.images)
    try features.take(imageFeatures: nil, trusted: trusted)
    let expected = try FeatureMatrix.cosines(
      toy.features.slice(0..<5), toy.features.slice(10..<15), name: "test")
    #expect(features.trustedCosines == expected)
    #expect(features.captions == Array(toy.captions[..<5]))
  }

  @Test func partsThatDisagreeAreRefused() throws {
    let toy = try Toy()
    let rest = Array(350..<700)
    let first = folder.file("a.safetensors")
    try write(toy.part(Array(0..<350)), "a.safetensors")

    func refusal(_ change: (inout FeaturePartFile) throws -> Void) throws -> String {
      var part = try toy.part(rest)
      try change(&part)
      try write(part, "b.safetensors")
      return try message { try result([folder.path], keys: toy.keys) }
    }
    #expect(
      try refusal { $0.imageFeatures = try Tensor([Float](repeating: 1, count: 1400), [350, 4]) }
        .hasSuffix(
          "b.safetensors': parts disagree; expected image_features F32 [n, 5] as in '\(first)', "
            + "got F32 [n, 4]; make all parts alike"))
    #expect(
      try refusal { $0.textFeatures = $0.imageFeatures }
        .contains("expected text_features none as in '\(first)', got F32 [n, 5]"))
    #expect(
      try refusal { $0.captions = nil }.contains("expected captions one a row as in"))
    #expect(
      try refusal { $0.keys[7] = toy.keys[2] }.contains(
        "key 'images/2.jpg' is in '\(first)' and again"))
    #expect(
      try refusal {
        $0.keys.append("more"); $0.imageFeatures = try toy.part([1] + rest).imageFeatures
        $0.captions?.append("")
      }.contains("1 rows of the parts belong to no pair, the first of them 'more' in"))
    try write(toy.part(rest), "b.safetensors", seed: 2)
    #expect(try message { try result([folder.path]) }.contains("expected model "))
    try write(toy.part([3] + rest), "b.safetensors")
    let twice = try message { try result([folder.path]) }
    #expect(
      twice.contains(
        "key 'images/3.jpg' is in '\(first)' and again in '\(folder.file("b.safetensors"))'"))
    let twiceOfPairs = try message { try result([folder.path], keys: toy.keys) }
    #expect(twiceOfPairs.contains("key 'images/3.jpg' is in '\(first)' and again in"))
  }

  /// They count as the rows that cannot be read.
  @Test func pairsWithoutARowAreLeftOutAndSaid() throws {
    let toy = try Toy()
    let rows = (0..<700).filter { ![3, 4, 500].contains($0) }
    try write(toy.part(rows.reversed()), "a.safetensors")
    let given = try FeatureParts([folder.path]).imageFeatures()
    var features = try DatasetFeatures(given, keys: toy.keys)
    try features.take(imageFeatures: given, trusted: nil)
    #expect(features.rows == rows && features.rowCount == 700)
    #expect(features.captions == rows.map { toy.captions[$0] })
    let missing = features.unread[.withoutFeatures]
    #expect(missing.count == 3 && missing.examples[0] == "'images/3.jpg'")
    let left = try DatasetCheck().run(features)
    let alone = try DatasetCheck().run(
      imageFeatures: FeatureRows(try toy.part(rows).imageFeatures ?? toy.features),
      trustedCosines: nil, keys: rows.map { toy.keys[$0] }, captions: rows.map { toy.captions[$0] })
    #expect(left.pairs.map(\.score) == alone.pairs.map(\.score))
    #expect(left.omissions.unread == 3 && alone.verdict == .clean && left.verdict == .cannotTell)
    #expect(
      try message { try result([folder.path], keys: ["x", "y"]) }
        .contains("697 rows of the parts belong to no pair"))
  }

  @Test func onePartGivenTwiceIsRefused() throws {
    let toy = try Toy()
    try NumPyFile.write(toy.features, to: folder.file("a.npy"))
    try #require(link(folder.file("a.npy"), folder.file("b.npy")) == 0)
    try #require(symlink(folder.file("a.npy"), folder.file("c.npy")) == 0)
    for other in ["a.npy", "b.npy", "c.npy", "./a.npy", "?.npy"] {
      let text = try message { try FeatureParts([folder.file("a.npy"), folder.file(other)]) }
      #expect(
        text.contains("': is the part '\(folder.file("a.npy"))' again; expected each part once"))
    }
    #expect(
      try message { try FeatureParts([folder.file("no-*.npy")]) }
        .hasSuffix("no-*.npy': matches no file; expected files of features; check the path"))
  }

  @Test func whatIsMixedIsNamed() throws {
    let toy = try Toy()
    try write(toy.part(Array(0..<350)), "a.safetensors")
    try NumPyFile.write(toy.features.slice(350..<700), to: folder.file("b.npy"))
    #expect(
      try message { try FeatureParts([folder.path]) }.hasSuffix(
        "b.npy': parts disagree; expected a safetensors file as in '\(folder.file("a.safetensors"))', "
          + "got NumPy array; give files of one kind"))
    try NumPyFile.write(toy.features.slice(0..<350), to: folder.file("c.npy"))
    try AtomicFile.write(toy.keys[..<350].joined(separator: "\n"), to: folder.file("c.txt"))
    #expect(
      try message { try FeatureParts([folder.file("?.npy")]) }.contains(
        "expected keys none as in '\(folder.file("b.npy"))', got one a row; give keys to all parts or to none"
      ))
    let keyless = try FeatureParts([folder.file("b.npy")]).imageFeatures()
    let keyed = try FeatureParts([folder.file("c.npy")]).trusted(ofTexts: false)
    var features = try DatasetFeatures(keyless)
    let text = try message {
      try features.take(imageFeatures: keyless, trusted: (keyed, keyless))
    }
    #expect(
      text.contains(
        "got trusted image features with keys, image features and trusted text features without"))
  }

  @Test func halvesThatAreMissingOrNormalizedAreRefused() throws {
    let toy = try Toy()
    try write(toy.part([0, 1]), "a.safetensors")
    #expect(
      try message { try FeatureParts([folder.path]).trustedHalves() }
        .contains("lacks text_features; expected them in every part, got image_features"))
    try write(toy.part([0, 1]), "a.safetensors", isNormalized: true)
    #expect(try message { try result([folder.path]) }.contains("are L2-normalized"))
    try NumPyFile.write(toy.features, to: folder.file("c.npy"))
    #expect(
      try message { try FeatureParts([folder.file("c.npy")]).trustedHalves() }
        .contains("is one array"))
    #expect(
      try message { try FeatureParts([folder.path]) }.contains("parts disagree; expected"))
  }

  @Test func aStoppedSearchResumesToTheSameBits() throws {
    var random = RandomNumbers(seed: 6)
    let features = try FeatureRows(
      try Tensor((0..<20_000 * 4).map { _ in random.normal() }, [20_000, 4]))
    let keys = (0..<20_000).map { "\($0)" }
    func scores(_ check: DatasetCheck, blocks: Int = .max) throws -> (scores: [Float], calls: Int) {
      var calls = 0
      let result = try check.run(
        imageFeatures: features, trustedCosines: nil, keys: keys, captions: nil
      ) { _ in
        calls += 1
        return calls < blocks
      }
      return (result.scores, calls)
    }
    var check = DatasetCheck()
    let whole = try scores(check)
    check.stateDirectory = folder.file("state")
    #expect(throws: CLIPError.self) { try scores(check, blocks: 2) }
    check.resume = true
    #expect(try scores(check) == whole)
    // What is kept is used: a damaged block is noticed.
    let block = try #require(
      try NamedFiles.paths(folder.file("state/neighbours-*-000001.safetensors")).first)
    try AtomicFile.write("damaged", to: block)
    #expect(throws: CLIPError.self) { try scores(check) }
    check.options.seed = 1
    #expect(try scores(check).scores != whole.scores)
  }

  @Test func aBudgetThatIsTooSmallIsRefusedBeforeTheSearch() throws {
    let toy = try Toy()
    try write(toy.part(Array(0..<700)), "a.safetensors")
    var check = DatasetCheck()
    check.options.memoryBudget = 1 << 20
    #expect(
      try message { try result([folder.path], check) }
        .contains("memory_budget is too small; expected at least"))
    check.options.memoryBudget = 1 << 30
    _ = try result([folder.path], check)
  }

  private func message<Result>(_ body: () throws -> Result) throws -> String {
    try #require(#expect(throws: CLIPError.self) { _ = try body() }).message
  }
}
