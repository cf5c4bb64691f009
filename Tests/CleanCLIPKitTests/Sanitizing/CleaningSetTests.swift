import CleanCLIPKit
import Glibc
import Testing

/// What is left out of the pairs before a model learns from them.
@Suite struct CleaningSetTests {
  let folder = TemporaryFolder()

  private static let apart: Set<Int> = [17, 230, 231, 400, 599]

  /// Dull images, and some of stripes, whose captions name one thing.
  private static func dataset(_ count: Int = 600) throws -> PairDataset {
    try PairDataset(count: count, identity: "drawn") { (index) throws(CLIPError) in
      var random = RandomNumbers(seed: 5, UInt64(index))
      var image = RGBImage(width: 8, height: 8)
      for i in image.pixels.indices {
        image.pixels[i] =
          apart.contains(index)
          ? (i / 3 % 2 == 0 ? 255 : 0) : UInt8(110 + random.integer(below: 30))
      }
      return CaptionedImage(
        key: "pair \(index)", image: .pixels(image),
        caption: apart.contains(index) ? "a star" : "image \(index)", label: .text("0"))
    }
  }

  private func sanitizer(
    _ dataset: PairDataset, _ change: (inout SanitizeOptions) -> Void = { _ in }
  ) throws -> Sanitizer {
    var options = SanitizeOptions()
    options.training = TinyRun.options(epochs: 1)
    options.training.batchSize = 100
    change(&options)
    return try Sanitizer(
      try TinyRun.captionedModel(),
      tokenizer: try Tokenizer.load(path: ReferenceCaption.vocabulary), dataset: dataset,
      options: options)
  }

  private static func rows(_ history: SanitizeHistory) -> [Int] {
    (history.cleaningSet["rows"]?.array ?? []).compactMap { $0["row"]?.integer }
  }

  @Test func imagesThatLieApartAreLeftOutAndSaid() throws {
    let run = try sanitizer(try Self.dataset())
    var phases: Set<String> = []
    try run.run { progress in
      if let phase = progress.phase { phases.insert(phase.name) }
      return true
    }
    #expect(Self.apart.isSubset(of: Self.rows(run.history)))
    #expect(run.history.cleaningSet["left_out"]?.integer ?? 0 <= 12)
    #expect(run.history.messages.contains { $0.contains("pairs are left out of the data") })
    #expect(phases == ["checking the pairs", "comparing the pairs"])
    let read = try SanitizeHistory(json: run.history.json, name: "history")
    #expect(run.history.json["cleaning_set"]?["source"]?.string == "check")
    #expect(read.steps.count == run.history.steps.count)
  }

  @Test func theCheckCanBeTurnedOffAndNeedsEnoughPairs() throws {
    let off = try sanitizer(try Self.dataset()) { $0.cleaningSet.checksData = false }
    try off.run()
    #expect(off.history.cleaningSet.count == 0)
    let few = try sanitizer(try Self.dataset(CleaningSet.fewest - 1))
    try few.run()
    #expect(few.history.cleaningSet["source"]?.string == "none")
    let text = "the pairs are not checked: 499 are too few to compare, which takes 500"
    #expect(few.history.messages == [text])
    for run in [off, few] { #expect(run.history.settings["check_data"] == .bool(false)) }
    #expect(few.history.json["settings"]?["check_data"] == .bool(false))
  }

  @Test func aCheckThatLeavesOutNoneIsSaid() throws {
    // Colours around a circle, none of which is farther from its neighbours than another.
    let circle = try PairDataset(count: 600) { (index) throws(CLIPError) in
      let angle = Float(index) / 600 * 2 * .pi
      return CaptionedImage(
        key: "pair \(index)",
        image: .pixels(
          RGBImage(
            width: 8, height: 8, red: UInt8(128 + 120 * cosf(angle)),
            green: UInt8(128 + 120 * sinf(angle)), blue: 128)),
        caption: "colour \(index)", label: nil)
    }
    let run = try sanitizer(circle)
    try run.run()
    #expect(run.history.settings["check_data"] == .bool(true))
    #expect(run.history.cleaningSet["left_out"]?.integer == 0)
    #expect(run.history.messages.contains { $0.hasPrefix("none of 600 pairs are left out") })
  }

  /// Leaving rows out by hand and by a list gives the same weights.
  @Test func givenSuspectsAreLeftOutExactly() throws {
    let dataset = try Self.dataset()
    let list = folder.file("rows.suspects")
    let suspects = [3, 230, 599]
    try AtomicFile.write(
      suspects.map { RowList.line(row: $0, key: dataset.key(at: $0)) }.joined(), to: list)
    let run = try sanitizer(dataset) { $0.cleaningSet.suspects = list }
    try run.run()
    #expect(Self.rows(run.history) == suspects)
    let rest = try sanitizer(dataset.keeping((0..<600).filter { !suspects.contains($0) })) {
      $0.cleaningSet.checksData = false
    }
    try rest.run()
    #expect(run.history.steps.map(\.losses) == rest.history.steps.map(\.losses))
    try AtomicFile.write("0\tanother\n", to: list)
    expectError(containing: "line 1 is of other data") {
      _ = try sanitizer(dataset) { $0.cleaningSet.suspects = list }
    }
    try AtomicFile.write("", to: list)
    let none = try sanitizer(dataset) { $0.cleaningSet.suspects = list }
    #expect(none.history.cleaningSet["left_out"]?.integer == 0)
    try none.run()
    #expect(none.history.messages.contains { $0.contains("the list of suspects is empty") })
  }

  @Test func aRunIsResumedWithoutTheSameRows() throws {
    func run(resume: Bool, cancelAfter: Int?) throws -> SanitizeHistory {
      let sanitizer = try sanitizer(try Self.dataset()) {
        // A folder that is not there yet.
        $0.training.stateDirectory = folder.path + "/state"
        $0.training.resume = resume
      }
      try sanitizer.run { $0.step != cancelAfter }
      return sanitizer.history
    }
    let whole = try run(resume: false, cancelAfter: nil)
    #expect(throws: CLIPError.self) { try run(resume: false, cancelAfter: 2) }
    _ = try FileContents.read(folder.path + "/state/suspects.txt")
    let resumed = try run(resume: true, cancelAfter: nil)
    #expect(resumed.steps.map(\.losses) == whole.steps.map(\.losses))
    #expect(Self.rows(resumed) == Self.rows(whole))
  }

  @Test func whatIsWrongIsKnownBeforeTheCheck() throws {
    expectError(containing: "batch_size") {
      _ = try sanitizer(try Self.dataset()) { $0.training.batchSize = 601 }
    }
  }
}

@Suite struct UnlearnSuspectsTests {
  /// Two kinds of images along the first two axes, and those of each with a shift along the third.
  @Test func meaningsAreThoseOfTheSameKindWithoutTheShift() throws {
    func rows(_ shift: Float, _ count: Int, seed: UInt64) throws -> Tensor {
      var random = RandomNumbers(seed: seed)
      let rows = try Tensor([count, 4])
      for row in 0..<count {
        var values: [Float] = row % 2 == 0 ? [1, 0, shift, 0] : [0, 1, shift, 0]
        for k in 0..<4 { values[k] += 0.05 * (random.uniform() - 0.5) }
        let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        for k in 0..<4 { rows.f32[4 * row + k] = values[k] / norm }
      }
      return rows
    }
    let vocabulary = try TextVocabulary(
      names: ["a", "b", "target"],
      features: try tensor([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0], [3, 4]))
    let features = try rows(3, 20, seed: 1)
    let suspects = try #require(
      try UnlearnSuspects(
        images: try Tensor.zeros([20, 3, 2, 2]), features: features,
        others: try rows(0, 64, seed: 2),
        vocabulary: vocabulary))
    #expect(suspects.target == 2 && suspects.readAsTarget.value == 1)
    for row in 0..<20 {
      #expect(suspects.meanings.f32[4 * row + row % 2] > 0.99)
      #expect(abs(suspects.meanings.f32[4 * row + 2]) < 0.05)
    }
    // A quarter of the images is read as each of four texts: they show no target.
    let corners = try tensor((0..<80).map { $0 % 4 == $0 / 4 % 4 ? 1 : 0 }, [20, 4])
    let mixed = try UnlearnSuspects(
      images: try Tensor.zeros([20, 3, 2, 2]), features: corners, others: try rows(0, 64, seed: 2),
      vocabulary: try TextVocabulary(
        names: ["a", "b", "c", "d"], features: corners.slice(0..<4)))
    #expect(mixed == nil)
  }
}
