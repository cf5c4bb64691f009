import CleanCLIPKit
import Testing

@Suite struct UnlearnStateTests {
  private struct Run {
    var weights: [[Float]]
    var history: SanitizeHistory
  }

  /// Noise images, which a tiny tower tells apart, and a trigger that replaces them.
  private static func sanitizer(
    _ model: CLIPModel, change: (inout SanitizeOptions) -> Void = { _ in }
  ) throws -> Sanitizer {
    var options = try UnlearnRunTests.options()
    options.unlearn.rounds = 2
    options.unlearn.laterSteps = 4
    options.unlearn.persistenceSteps = 3
    options.unlearn.triggers = [try UnlearnRunTests.everything()]
    change(&options)
    return try Sanitizer(
      model, tokenizer: nil, dataset: try UnlearnRunTests.dataset(64, side: 32), options: options)
  }

  private static func run(
    stopAfter calls: Int = .max, change: (inout SanitizeOptions) -> Void = { _ in }
  ) throws -> Run {
    let model = try tinyModel(vocabularySize: nil)
    let sanitizer = try sanitizer(model, change: change)
    var count = 0
    do {
      try sanitizer.run { _ in
        count += 1
        return count < calls
      }
    } catch {
      guard error.code == .cancelled else { throw error }
    }
    return Run(
      weights: model.stateDict().map { $0.tensor.floats() }, history: sanitizer.history)
  }

  @Test func aRunThatIsResumedEndsAsIfItHadNotStopped() throws {
    let whole = try Self.run()
    #expect(whole.history.verdict != nil)
    var calls = 0
    let counted = try Self.sanitizer(try tinyModel(vocabularySize: nil))
    try counted.run { _ in
      calls += 1
      return true
    }
    // In searches, in training, between rounds, and in the test of persistence.
    for stop in [calls / 4, calls / 2, 3 * calls / 4, calls - 80, calls - 30, calls - 5]
    where stop > 0 {
      do {
        let folder = TemporaryFolder()
        let directory = folder.path
        _ = try Self.run(stopAfter: stop) {
          $0.training.stateDirectory = directory
          $0.training.saveEvery = 3
        }
        let resumed = try Self.run {
          $0.training.stateDirectory = directory
          $0.training.saveEvery = 3
          $0.training.resume = true
        }
        #expect(resumed.weights == whole.weights, "stopped after \(stop) of \(calls)")
        #expect(resumed.history.outcome == whole.history.outcome)
        #expect(resumed.history.steps.map(\.losses) == whole.history.steps.map(\.losses))
      }
    }
  }

  @Test func aRunThatHadEndedRepeatsNeitherTrainingNorSearches() throws {
    let folder = TemporaryFolder()
    let directory = folder.path
    let whole = try Self.run { $0.training.stateDirectory = directory }
    #expect(whole.history.outcome["persistence"] != nil)
    let model = try tinyModel(vocabularySize: nil)
    let sanitizer = try Self.sanitizer(model) {
      $0.training.stateDirectory = directory
      $0.training.resume = true
    }
    var phases: Set<String> = []
    var looks: [RunPhase] = []
    try sanitizer.run {
      phases.insert($0.phase?.name ?? "")
      if let phase = $0.phase, phase.name == "looking again" { looks.append(phase) }
      return true
    }
    #expect(looks.count == 1 && looks[0].done == looks[0].total)
    #expect(!phases.contains { $0.hasPrefix("unlearning") || $0.hasPrefix("testing whether") })
    #expect(model.stateDict().map { $0.tensor.floats() } == whole.weights)
    #expect(sanitizer.history.outcome == whole.history.outcome)
  }

  @Test func aPhaseGoesOnWhereItStopped() throws {
    let folder = TemporaryFolder()
    let directory = folder.path
    var stopped: RunPhase?
    expectError(containing: "resume from '\(directory)'") {
      try Self.sanitizer(try tinyModel(vocabularySize: nil)) {
        $0.training.stateDirectory = directory
      }.run { step in
        guard let phase = step.phase, phase.name == "unlearning, round 1" else { return true }
        stopped = phase
        return phase.done < 3
      }
    }
    #expect(stopped?.done == 3)
    var first: RunPhase?
    try Self.sanitizer(try tinyModel(vocabularySize: nil)) {
      $0.training.stateDirectory = directory
      $0.training.resume = true
    }.run { step in
      if first == nil, step.phase?.name == "unlearning, round 1" { first = step.phase }
      return true
    }
    #expect(first?.done == 4 && first?.total == stopped?.total)
  }

  @Test func theStateOfAnotherRunIsRefused() throws {
    do {
      let folder = TemporaryFolder()
      let directory = folder.path
      _ = try Self.run { $0.training.stateDirectory = directory }
      expectError(containing: "is the state of another") {
        _ = try Self.run {
          $0.training.stateDirectory = directory
          $0.training.resume = true
          $0.training.seed = 5
        }
      }
      // Told before images are read.
      expectError(containing: "persistence_steps: expected 4, got 3; use the same options") {
        _ = try Self.sanitizer(try tinyModel(vocabularySize: nil)) {
          $0.training.stateDirectory = directory
          $0.training.resume = true
          $0.unlearn.persistenceSteps = 4
        }
      }
    }
  }

  @Test func aRoundThatCostsTooMuchIsTakenBack() throws {
    let before = try tinyModel(vocabularySize: nil).stateDict().map { $0.tensor.floats() }
    let run = try Self.run {
      // Steps so large that nothing is classified as before.
      $0.unlearn.residualRate = 5
      $0.unlearn.transformerRate = 5
      $0.unlearn.maxAccuracyLoss = 1
    }
    #expect(run.weights == before)
    #expect(run.history.outcome["stopped_by_limit"] == .bool(true))
    // What it would have cost stands beside what is left.
    let cost = try #require(run.history.outcome["taken_back"]?.object?["zero_shot"]?.double)
    let left = try #require(run.history.outcome["agreement"]?.object?["zero_shot"]?.double)
    #expect(cost < 0.99 && left == 1)
    #expect(
      run.history.conclusion.contains {
        $0.hasPrefix("the last round cost too much and is taken back: after it, ")
      })
    #expect(run.history.messages.contains { $0.contains("is less than one of the") })
    #expect(run.history.verdict == .notRemoved)
    #expect(run.history.messages.contains { $0.contains("is taken back") })
  }

  @Test func batchesInPiecesDifferByRoundingOnly() throws {
    let whole = try Self.run { $0.unlearn.rounds = 1 }
    let pieces = try Self.run {
      $0.unlearn.rounds = 1
      $0.training.chunkSize = 3
    }
    #expect(whole.history.steps.count == 6)
    for (a, b) in zip(whole.history.steps, pieces.history.steps) {
      #expect(abs(a.losses.loss - b.losses.loss) < 1e-3 * a.losses.loss)
    }
    // Adam divides by what may be rounding alone: whole steps of 1e-4 differ then.
    for (a, b) in zip(whole.weights, pieces.weights) {
      #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-3 })
    }
  }

  @Test func aMemoryBudgetIsPlannedFor() throws {
    let small = try Self.sanitizer(try tinyModel(vocabularySize: nil)) {
      $0.training.memoryBudget = 1000
    }
    var phases: Set<String> = []
    expectError(containing: "memory_budget is too small; expected at least") {
      try small.run {
        phases.insert($0.phase?.name ?? "")
        return true
      }
    }
    // Before the searches, which are what a run costs.
    #expect(phases == ["reading images"])
    var planned = 0
    let sanitizer = try Self.sanitizer(try tinyModel(vocabularySize: nil)) {
      $0.training.memoryBudget = 1 << 32
    }
    try sanitizer.run {
      planned = max(planned, $0.plannedBytes)
      return true
    }
    #expect((1 << 16...1 << 32).contains(planned))
  }

  @Test func recordsMakeEqualTriggers() throws {
    var random = RandomNumbers(seed: 8)
    let triggers: [any LearnedTrigger] = [
      try MaskedTrigger.stamp(imageSize: 16, random: &random),
      try MaskedTrigger.blend(imageSize: 16, share: 0.2, random: &random),
      try PatternTrigger(imageSize: 16, bound: 0.03, random: &random),
      DisplacementTrigger(try WarpSpace.drawn(imageSize: 16)[0]),
      WaveTrigger(
        values: try tensor([1.5, 2, 0.3, 0.4, 0.5, 0.9, 1, 1.1], [8]), side: 16, amplitude: 0.05),
    ]
    let images = try Tensor(
      (0..<2 * 3 * 256).map { _ in random.uniform() }, [2, 3, 16, 16])
    for trigger in triggers {
      let again = try #require(try trigger.record.restored(side: 16, given: []))
      #expect(
        try trigger.record.restored(side: 8, given: []) == nil || trigger.family == .sinusoid
          || trigger.family == .warp)
      var outputs: [[Float]] = []
      for trigger in [trigger, again] {
        var stream = RandomNumbers(seed: 1)
        trigger.vary(strength: 0.7, using: &stream)
        let output = try Tensor(images.shape)
        try trigger.apply(to: images, into: output)
        outputs.append(output.floats())
      }
      #expect(outputs[0] == outputs[1] && outputs[0] != images.floats())
    }
  }
}

@Suite struct UnlearnPhaseTests {
  @Test func progressNamesPhasesThatGoForward() throws {
    var options = try UnlearnRunTests.options()
    options.unlearn.triggers = [try UnlearnRunTests.everything()]
    options.unlearn.persistenceSteps = 2
    let sanitizer = try Sanitizer(
      try tinyModel(vocabularySize: nil), tokenizer: nil,
      dataset: try UnlearnRunTests.dataset(64, side: 32), options: options)
    var phases: [RunPhase] = []
    try sanitizer.run {
      guard let phase = $0.phase else {
        Issue.record("every call is in a phase")
        return false
      }
      if phase.name == phases.last?.name {
        #expect(phase.done >= phases.last?.done ?? 0)
        phases.removeLast()
      }
      #expect(phase.total == 0 || phase.done <= phase.total)
      phases.append(phase)
      return true
    }
    let names = phases.map(\.name)
    #expect(names.first == "reading images" && names.last == "testing whether it comes back")
    #expect(names.contains("searching for targets") && names.contains("unlearning, round 1"))
    // What has a total comes to it.
    #expect(phases.allSatisfy { $0.total == 0 || $0.done == $0.total })
    #expect(sanitizer.history.steps.allSatisfy { $0.phase == nil })
    guard case .object(let persistence) = sanitizer.history.outcome["persistence"],
      case .object(let benign) = persistence["benign"],
      case .array(let retuned) = persistence["retuned"]
    else {
      Issue.record("the outcome tells whether it comes back")
      return
    }
    #expect(benign["steps"] == .integer(2) && retuned.count == 2)
  }
}
