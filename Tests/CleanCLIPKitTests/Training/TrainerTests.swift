import CleanCLIPKit
import Testing

@Suite struct TrainerTests {
  private static func run(
    _ model: CLIPModel, _ source: BatchSource, _ options: TrainingOptions,
    _ progress: (TrainingProgress) -> Bool = { _ in true }
  ) throws -> TrainingHistory {
    let recipe = try CleanCLIPRecipe(model, loss: TinyRun.loss)
    return try Trainer(recipe, source: source, options: options).run(progress: progress)
  }

  @Test func lossFallsAndProgressIsReported() throws {
    let model = try TinyRun.model()
    var reports: [TrainingProgress] = []
    let history = try Self.run(model, TinyRun.source(), TinyRun.options(epochs: 12)) {
      reports.append($0)
      return true
    }
    #expect(history.epochs.count == 12 && history.steps.count == 36 && reports.count == 36)
    #expect(history.epochs[11].losses.loss < 0.8 * history.epochs[0].losses.loss)
    #expect(reports.map(\.step) == Array(1...36))
    #expect(reports[0].learningRate == 0.5e-3 && reports[35].epoch == 12)
    #expect(reports.allSatisfy { $0.steps == 36 && (0...1).contains($0.waitingFraction) })
  }

  @Test func theSameSeedGivesTheSameBits() throws {
    let (first, second) = (try TinyRun.model(), try TinyRun.model())
    _ = try Self.run(first, TinyRun.source(), TinyRun.options())
    _ = try Self.run(second, TinyRun.source(), TinyRun.options())
    #expect(first.bits == second.bits)
  }

  /// Cancelled in the middle of an epoch, at its end, and before anything was saved.
  @Test(arguments: [2, 3, 5], [false, true])
  func aResumedRunGivesTheSameLossesAndBits(cancelledAfter: Int, resNet: Bool) throws {
    let size = resNet ? 32 : TinyRun.imageSize
    let source = TinyRun.source(size: size)
    var expected: [StepLosses] = []
    let uninterrupted = try TinyRun.model(resNet: resNet)
    let history = try Self.run(uninterrupted, source, TinyRun.options()) {
      expected.append($0.losses)
      return true
    }

    let folder = TemporaryFolder()
    var options = TinyRun.options()
    options.stateDirectory = folder.path
    options.resume = true
    let model = try TinyRun.model(resNet: resNet)
    var losses: [StepLosses] = []
    let error = #expect(throws: CLIPError.self) {
      try Self.run(model, source, options) {
        losses.append($0.losses)
        return $0.step < cancelledAfter
      }
    }
    #expect(error?.code == .cancelled)
    let resumed = try TinyRun.model(resNet: resNet)
    let resumedHistory = try Self.run(resumed, source, options) {
      losses.append($0.losses)
      return true
    }
    #expect(losses == expected)
    #expect(resumed.bits == uninterrupted.bits)
    #expect(resumedHistory.epochs.map(\.losses) == history.epochs.map(\.losses))
    #expect(resumedHistory.steps == history.steps)
  }

  /// A run that was killed leaves the last state that was saved on the way.
  @Test func aKilledRunGoesOnFromTheLastSave() throws {
    var options = TinyRun.options()
    var expected: [StepLosses] = []
    let uninterrupted = try TinyRun.model()
    _ = try Self.run(uninterrupted, TinyRun.source(), options) {
      expected.append($0.losses)
      return true
    }
    let folder = TemporaryFolder()
    options.stateDirectory = folder.path
    options.resume = true
    options.saveEvery = 2
    let killed = TinyRun.source()
    let source = BatchSource(
      pairs: killed.pairs, batchesPerEpoch: killed.batchesPerEpoch, identity: killed.identity
    ) { (epoch, first) throws(CLIPError) in
      if epoch == 2 { throw CLIPError(.io, "killed") }
      let stream = try killed.open(epoch, first)
      var count = 0
      return BatchStream { () throws(CLIPError) in
        count += 1
        if epoch == 1 && count == 3 { throw CLIPError(.io, "killed") }
        return try stream.next()
      }
    }
    #expect(throws: CLIPError(.io, "killed")) {
      try Self.run(try TinyRun.model(), source, options)
    }
    let model = try TinyRun.model()
    var losses: [StepLosses] = []
    _ = try Self.run(model, killed, options) {
      losses.append($0.losses)
      return true
    }
    // Steps 1 to 3, saved at the epoch's end; 4, saved by count.
    #expect(losses == Array(expected[4...]))
    #expect(model.bits == uninterrupted.bits)
  }

  @Test func aFinishedRunIsNotRepeated() throws {
    let folder = TemporaryFolder()
    var options = TinyRun.options(epochs: 1)
    options.stateDirectory = folder.path
    options.resume = true
    let first = try TinyRun.model()
    let history = try Self.run(first, TinyRun.source(), options)
    let second = try TinyRun.model()
    var steps = 0
    let repeated = try Self.run(second, TinyRun.source(), options) { _ in
      steps += 1
      return true
    }
    #expect(steps == 0 && repeated == history && first.bits == second.bits)
  }

  @Test func theStateOfAnotherRunIsRefused() throws {
    let folder = TemporaryFolder()
    var options = TinyRun.options(epochs: 1)
    options.stateDirectory = folder.path
    _ = try Self.run(try TinyRun.model(), TinyRun.source(), options)
    options.resume = true
    options.learningRate = 2e-3
    let error = #expect(throws: CLIPError.self) {
      try Self.run(try TinyRun.model(), TinyRun.source(pairs: 15), options)
    }
    #expect(error?.code == .state)
    let message = error?.message ?? ""
    #expect(message.contains("learning_rate: expected 0.002, got 0.001"))
    // What may follow from an option is named when the options agree.
    #expect(!message.contains("data:"))
    options.learningRate = 1e-3
    let data = #expect(throws: CLIPError.self) {
      try Self.run(try TinyRun.model(), TinyRun.source(pairs: 15), options)
    }
    #expect(data?.message.contains("data: expected tiny 15, got tiny 14") ?? false)
    let other = #expect(throws: CLIPError.self) {
      try Self.run(try TinyRun.model(resNet: true), TinyRun.source(), options)
    }
    #expect(other?.message.contains("initial_weights") ?? false)
  }

  @Test func aDamagedStateIsRefusedAndTheModelUnchanged() throws {
    let folder = TemporaryFolder()
    var options = TinyRun.options(epochs: 1)
    options.stateDirectory = folder.path
    options.resume = true
    let path = folder.file("training-state.safetensors")
    try AtomicFile.write(Array("no state".utf8), to: path)
    let model = try TinyRun.model()
    let before = model.bits
    let error = #expect(throws: CLIPError.self) {
      try Self.run(model, TinyRun.source(), options)
    }
    #expect(error?.code == .format && model.bits == before)
    try SafeTensors.write([], metadata: ["format": "something"], to: path)
    #expect(throws: CLIPError.self) { try Self.run(model, TinyRun.source(), options) }
    #expect(model.bits == before)
  }

  /// Each number of a good state replaced by one that cannot be.
  @Test(arguments: [
    ("position.epoch", "-1"), ("position.epoch", "2"), ("position.step", "9007199254740991"),
    ("position.batch", "99"), ("position.batch", "1.5"), ("position.sums", "1 2"),
    ("position.sums", "1 nan 2"), ("position.seconds", ""), ("history.epochs", "1000000000"),
    ("history.0", "1 2 3"), ("history.0", "1e300 1 1 1 1 1"),
    ("position.plan", "1 1 9007199254740991"), ("position.plan", "1e30 1 1"),
  ])
  func aStateWithNumbersThatCannotBeIsRefused(change: (key: String, value: String)) throws {
    let folder = TemporaryFolder()
    var options = TinyRun.options(epochs: 1)
    options.stateDirectory = folder.path
    options.resume = true
    _ = try Self.run(try TinyRun.model(), TinyRun.source(), options)
    let path = folder.file("training-state.safetensors")
    let file = try SafeTensors.read(path)
    var metadata = file.metadata
    metadata[change.key] = change.value
    let tensors = try file.tensors().map { ($0.key, $0.value) }
    try SafeTensors.write(tensors, metadata: metadata, to: path)
    try AtomicFile.write(FileSeal.sealed(try FileContents.read(path)), to: path)
    let model = try TinyRun.model()
    let before = model.bits
    let error = #expect(throws: CLIPError.self) {
      try Self.run(model, TinyRun.source(), options)
    }
    #expect(error?.code == .format && model.bits == before)
  }

  /// Pixels that are NaN from the fifth step on.
  @Test(arguments: [false, true])
  func aLossThatIsNotFiniteStopsWithTheLastGoodWeights(resNet: Bool) throws {
    let size = resNet ? 32 : TinyRun.imageSize
    let good = TinyRun.source(size: size)
    let source = BatchSource(
      pairs: good.pairs, batchesPerEpoch: good.batchesPerEpoch, identity: "poisoned"
    ) { (epoch, first) throws(CLIPError) in
      let stream = try good.open(epoch, first)
      var count = 0
      return BatchStream { () throws(CLIPError) in
        count += 1
        guard let batch = try stream.next() else { return nil }
        if epoch == 1 && count == 2 { batch.pixels.f32[0] = .nan }
        return batch
      }
    }
    let model = try TinyRun.model(resNet: resNet)
    var last: [UInt32] = []
    let error = #expect(throws: CLIPError.self) {
      try Self.run(model, source, TinyRun.options()) { _ in
        last = model.bits
        return true
      }
    }
    #expect(error?.code == .state)
    #expect(error?.message.contains("the loss is not finite at step 5 of 9 (epoch 2)") ?? false)
    #expect(model.bits == last)
    #expect(model.nonFiniteTensors().isEmpty)
    #expect(model.parameters.allSatisfy { $0.gradient == nil })
  }

  @Test func aBatchLargerThanTheDataSetIsRefused() throws {
    var options = TinyRun.options()
    options.batchSize = 20
    let error = #expect(throws: CLIPError.self) {
      try Self.run(try TinyRun.model(), TinyRun.source(batchSize: 20), options)
    }
    #expect(
      error?.message
        == "options: batch_size is larger than the dataset; expected at most 14, got 20; "
        + "use a smaller batch or more data")
  }

  @Test func optionsOutOfRangeAreNamed() throws {
    let changes: [(String, (inout TrainingOptions) -> Void)] = [
      ("epochs", { $0.epochs = 0 }), ("batch_size", { $0.batchSize = 0 }),
      ("batch_size", { $0.batchSize = 1 }), ("learning_rate", { $0.learningRate = .nan }),
      ("learning_rate", { $0.learningRate = -1 }), ("warmup_steps", { $0.warmupSteps = -1 }),
      ("weight_decay", { $0.adam.weightDecay = -0.1 }), ("beta1", { $0.adam.beta1 = 1 }),
      ("beta2", { $0.adam.beta2 = .infinity }), ("epsilon", { $0.adam.epsilon = 0 }),
      ("chunk_size", { $0.chunkSize = 0 }), ("memory_budget", { $0.memoryBudget = 0 }),
      ("save_every", { $0.saveEvery = -1 }), ("resume", { $0.resume = true }),
    ]
    for (name, change) in changes {
      var options = TinyRun.options()
      change(&options)
      let error = #expect(throws: CLIPError.self, "\(name)") {
        try Self.run(try TinyRun.model(), TinyRun.source(), options)
      }
      #expect(error?.code == .invalidArgument)
      #expect(error?.message.contains(name) ?? false, "\(error?.message ?? "")")
    }
  }

  @Test func anEmptyEpochIsAnError() throws {
    let source = BatchSource(pairs: 14, batchesPerEpoch: 3, identity: "empty") {
      (_, _) throws(CLIPError) in
      BatchStream { () throws(CLIPError) in nil }
    }
    let error = #expect(throws: CLIPError.self) {
      try Self.run(try TinyRun.model(), source, TinyRun.options())
    }
    #expect(error?.message.contains("epoch 1 has no complete batch") ?? false)
  }

  @Test func batchesWithoutAugmentationsAreRefused() throws {
    let error = #expect(throws: CLIPError.self) {
      try Self.run(try TinyRun.model(), TinyRun.source(views: 1), TinyRun.options())
    }
    #expect(error?.code == .invalidArgument)
  }
}
