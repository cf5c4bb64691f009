import CleanCLIPKit
import Testing

/// Ranks that divide the searches of a check, or the batches of unlearning, give what one process gives.
@Suite struct CheckRanksTests {
  private static func check(
    _ communicator: Communicator, state: String? = nil, resume: Bool = false,
    change: (inout ModelCheckOptions) -> Void = { _ in }
  ) throws(CLIPError) -> ModelCheck {
    let model: CLIPModel
    let classes: TextVocabulary
    do {
      model = try tinyModel(vocabularySize: nil)
      var random = RandomNumbers(seed: 7)
      classes = try TextVocabulary(
        names: (0..<12).map { "class \($0)" },
        features: try Tensor((0..<12 * 24).map { _ in random.normal() }, [12, 24]))
    } catch {
      throw (error as? CLIPError) ?? CLIPError(.internal, "\(error)")
    }
    var check = ModelCheck(model)
    check.classes = classes
    check.options.search.steps = 5
    check.options.search.batchSize = 4
    check.options.imageLimit = 24
    check.options.referenceSearches = 2
    check.options.classSearches = 4
    check.options.stateDirectory = state
    check.options.resume = resume
    check.communicator = communicator
    change(&check.options)
    return check
  }

  private static func numbers(_ result: ModelCheckResult) -> [Float] {
    result.imageFindings.flatMap {
      [$0.search.size, $0.search.collapse, $0.heldOutCollapse, Float($0.pValue)]
        + $0.search.direction + $0.reference.sizes + ($0.search.trigger?.numbers ?? [])
    } + [Float(result.pValue), Float(result.leftOut)]
  }

  @Test(arguments: [2, 3, 4])
  func aCheckOverRanksIsThatOfOneProcess(size: Int) throws {
    let whole = try Self.check(.single).run(images: nil) { _ in true }
    let ranks = ThreadRanks(size).run { (communicator) throws(CLIPError) in
      let result = try Self.check(communicator).run(images: nil) { _ in true }
      return (numbers: Self.numbers(result), names: result.targets)
    }
    for rank in ranks {
      #expect(try rank.get().numbers == Self.numbers(whole))
      #expect(try rank.get().names == whole.targets)
    }
  }

  @Test func ranksSearchLessEach() throws {
    let counts = ThreadRanks(2).run { (communicator) throws(CLIPError) in
      var calls = 0
      _ = try Self.check(communicator).run(images: nil) { _ in
        calls += 1
        return true
      }
      return calls
    }
    var alone = 0
    _ = try Self.check(.single).run(images: nil) { _ in
      alone += 1
      return true
    }
    for count in counts { #expect(try count.get() < alone) }
    #expect(try counts.reduce(0) { $0 + (try $1.get()) } == alone)
  }

  @Test func theFirstRankKeepsTheStateForAll() throws {
    let folder = TemporaryFolder()
    let path = folder.path
    let whole = try Self.check(.single).run(images: nil) { _ in true }
    let stopped = ThreadRanks(2).run { (communicator) throws(CLIPError) in
      let isFirst = communicator.rank == 0
      return try Self.check(communicator, state: isFirst ? path : nil).run(images: nil) {
        position in
        !isFirst || position.search < 9
      }.pValue
    }
    for result in stopped { #expect(throws: CLIPError.self) { _ = try result.get() } }
    let resumed = ThreadRanks(2).run { (communicator) throws(CLIPError) in
      let isFirst = communicator.rank == 0
      return Self.numbers(
        try Self.check(communicator, state: isFirst ? path : nil, resume: isFirst)
          .run(images: nil) { _ in true })
    }
    for result in resumed { #expect(try result.get() == Self.numbers(whole)) }
  }

  @Test func ranksThatCheckOtherwiseAreRefused() {
    let results = ThreadRanks(2).run { (communicator) throws(CLIPError) in
      let rank = communicator.rank
      return try Self.check(communicator, change: { $0.search.steps = 5 + rank })
        .run(images: nil) { _ in true }.pValue
    }
    for result in results {
      let error = #expect(throws: CLIPError.self) { _ = try result.get() }
      #expect(error?.message.contains("rank 1: steps: expected 5 as on rank 0, got 6") == true)
    }
  }

  private struct Unlearned: Sendable {
    var losses: [Double]
    var weights: [Float]
    var verdict: SanitizeVerdict?
  }

  private static func unlearned(
    _ communicator: Communicator, change: (inout SanitizeOptions) -> Void = { _ in },
    stopAfter steps: Int = .max
  ) throws(CLIPError) -> Unlearned {
    do {
      let model = try tinyModel(vocabularySize: nil)
      var options = try UnlearnRunTests.options()
      options.unlearn.steps = 8
      options.unlearn.settlingSteps = 4
      options.unlearn.triggers = [try UnlearnRunTests.everything()]
      change(&options)
      let sanitizer = try Sanitizer(
        model, tokenizer: nil, dataset: try UnlearnRunTests.dataset(64, side: 32),
        options: options, communicator: communicator)
      try sanitizer.run { communicator.rank != 0 || $0.step < steps }
      return Unlearned(
        losses: sanitizer.history.steps.map(\.losses.loss),
        weights: model.stateDict().flatMap { $0.tensor.floats() },
        verdict: sanitizer.history.verdict)
    } catch {
      throw (error as? CLIPError) ?? CLIPError(.internal, "\(error)")
    }
  }

  @Test(arguments: [2, 4])
  func unlearningOverRanksIsThatOfOneProcess(size: Int) throws {
    let whole = try Self.unlearned(.single)
    #expect(whole.losses.count == 12)
    let ranks = ThreadRanks(size).run { (communicator) throws(CLIPError) in
      try Self.unlearned(communicator)
    }
    for rank in ranks {
      let outcome = try rank.get()
      #expect(outcome.losses.count == 12)
      // Losses are means of 1 - cos with cosines near 1, which f32 rounds to 6e-8 each.
      for (loss, expected) in zip(outcome.losses, whole.losses) {
        #expect(abs(loss - expected) <= 1e-5 * abs(expected) + 2.4e-7)
      }
      // Twelve steps of Adam, which is as fast along gradients of rounding errors.
      #expect(relativeError(outcome.weights, whole.weights) <= 3e-5)
      #expect(outcome.verdict == whole.verdict)
      #expect(try outcome.weights == ranks[0].get().weights)
    }
  }

  @Test func unlearningOverRanksResumesFromTheFirstRanksState() throws {
    let folder = TemporaryFolder()
    let path = folder.path
    let whole = ThreadRanks(2).run { (communicator) throws(CLIPError) in
      try Self.unlearned(communicator)
    }
    let stopped = ThreadRanks(2).run { (communicator) throws(CLIPError) in
      let isFirst = communicator.rank == 0
      return try Self.unlearned(
        communicator, change: { if isFirst { $0.training.stateDirectory = path } }, stopAfter: 6)
    }
    for result in stopped { #expect(throws: CLIPError.self) { _ = try result.get() } }
    let resumed = ThreadRanks(2).run { (communicator) throws(CLIPError) in
      let isFirst = communicator.rank == 0
      return try Self.unlearned(
        communicator,
        change: {
          guard isFirst else { return }
          $0.training.stateDirectory = path
          $0.training.resume = true
        })
    }
    for (result, expected) in zip(resumed, whole) {
      #expect(try result.get().weights == expected.get().weights)
    }
  }
}
