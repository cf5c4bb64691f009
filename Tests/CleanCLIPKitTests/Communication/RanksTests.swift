import CleanCLIPKit
import Testing

/// Several ranks with a part of each batch give what one process with the whole batch gives.
@Suite struct RanksTests {
  /// What is trained.
  enum Work: String, CaseIterable {
    case cleanclip, fineTuning, selfSupervision, supervised, par, simclip, roclip, safeclip

    var weights: (clip: Float, inmodal: Float) {
      switch self {
      case .cleanclip, .supervised, .simclip, .safeclip: (1, 1)
      case .fineTuning, .par, .roclip: (1, 0)
      case .selfSupervision: (0, 1)
      }
    }

    var views: Int { [.cleanclip, .selfSupervision, .roclip, .safeclip].contains(self) ? 2 : 1 }

    func recipe(_ model: CLIPModel) throws(CLIPError) -> any Recipe {
      if self == .supervised { return try SupervisedRecipe(model, classes: 3, seed: 1) }
      if self == .safeclip {
        var options = SafeCLIPOptions()
        options.inmodalEpochs = 1
        options.safeProbability = 0.5
        return try SafeCLIPRecipe(model, options: options, pairs: 26)
      }
      if self == .roclip {
        return try RoCLIPRecipe(model, options: RoCLIPOptions(), pairs: 400)
      }
      if self == .simclip {
        var options = SimCLIPOptions()
        options.attackEpsilon = 64
        // The attack takes signs of slopes, and of those that are zero but for rounding this decides by
        // whole steps: they are too small here to count beside the start.
        options.attackStepSize = 1e-3
        options.attackSteps = 3
        return try SimCLIPRecipe(model, options: options, seed: 1)
      }
      if self == .par { return try PARRecipe(model, threshold: 2.15, seed: 1) }
      let loss = CleanCLIPLoss(clipWeight: weights.clip, inmodalWeight: weights.inmodal)
      return try CleanCLIPRecipe(model, loss: loss)
    }
  }

  struct Outcome: Sendable {
    var losses: [StepLosses]
    var state: [String: [Float]]
    var bits: [UInt32]
  }

  private static let pairs = 26
  private static let batchSize = 8

  /// Ten steps or as many as `options` say, of a batch of eight pairs.
  static func run(
    _ work: Work, resNet: Bool, _ options: TrainingOptions, _ communicator: Communicator
  ) throws(CLIPError) -> Outcome {
    let model = try TinyRun.model(resNet: resNet)
    let recipe = try work.recipe(model)
    let source = TinyRun.source(
      pairs: pairs, batchSize: batchSize, views: work.views,
      size: resNet ? 32 : TinyRun.imageSize,
      shard: Shard(rank: communicator.rank, count: communicator.size))
    let trainer = try Trainer(
      recipe, source: source, options: options, communicator: communicator)
    let history = try trainer.run()
    var state: [String: [Float]] = [:]
    for (name, tensor) in recipe.state { state[name] = tensor.floats() }
    return Outcome(losses: history.steps.map(\.losses), state: state, bits: model.bits)
  }

  static func options() -> TrainingOptions {
    var options = TrainingOptions()
    options.epochs = 4
    options.batchSize = batchSize
    options.learningRate = 1e-4
    options.warmupSteps = 2
    return options
  }

  /// Twelve steps. The moments' ε is above the rounding errors of gradients that are zero but for those,
  /// such as of the keys' biases, which AdamW would blow up to the full rate; a ResNet's rate is low
  /// because ReLUs of two channels turn with rounding.
  @Test(arguments: [2, 4], Work.allCases)
  func ranksEqualOneProcess(size: Int, work: Work) throws {
    var options = Self.options()
    options.adam.epsilon = 1e-5
    for resNet in [false, true] {
      options.learningRate = resNet ? 1e-5 : 1e-4
      let whole = try Self.run(work, resNet: resNet, options, .single)
      let ranks = ThreadRanks(size).run { [options] (communicator) throws(CLIPError) in
        try Self.run(work, resNet: resNet, options, communicator)
      }
      for result in ranks {
        let outcome = try result.get()
        #expect(outcome.losses.count == 12)
        // One minus cosines next to 1, which single precision has in steps of 1.2e-7.
        let rounding = work == .simclip ? 1e-6 : 0
        for (loss, expected) in zip(outcome.losses, whole.losses) {
          #expect(abs(loss.loss - expected.loss) <= 1e-5 * abs(expected.loss) + rounding)
          #expect(
            abs(loss.crossmodalLoss - expected.crossmodalLoss) <= 1e-5 * expected.crossmodalLoss)
          #expect(
            abs(loss.inmodalLoss - expected.inmodalLoss) <= 1e-5 * expected.inmodalLoss + rounding)
        }
        let names = whole.state.keys.sorted()
        let weights = names.flatMap { whole.state[$0] ?? [] }
        #expect(relativeError(names.flatMap { outcome.state[$0] ?? [] }, weights) <= 1e-5)
        #expect(try outcome.bits == ranks[0].get().bits)
      }
    }
  }

  /// Part of the gradient of a pair's features comes from the losses of other ranks' pairs: the sum over
  /// ranks is the gradient of the whole batch, in chunks as well.
  @Test(arguments: [nil, 2], [(1, 1), (1, 0), (0, 1)] as [(Float, Float)])
  func gradientsFlowBackThroughTheGather(chunkSize: Int?, weights: (Float, Float)) throws {
    let loss = CleanCLIPLoss(clipWeight: weights.0, inmodalWeight: weights.1)
    @Sendable func gradients(_ communicator: Communicator) throws(CLIPError) -> [[Float]] {
      let model = try TinyRun.model()
      let part = Shard(rank: communicator.rank, count: communicator.size).part(of: 9)
      let batch = try TinyRun.batch(Array(part), views: loss.views)
      let pass = Pass(chunkSize: chunkSize, communicator: communicator)
      _ = try CleanCLIPRecipe(model, loss: loss).accumulateGradients(batch, pass)
      return model.parameters.map { $0.gradient?.floats() ?? [] }
    }
    let whole = try gradients(.single)
    let ranks = try ThreadRanks(3).run(gradients).map { try $0.get() }
    let norm = whole.joined().reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    for (index, expected) in whole.enumerated() {
      var sum = [Float](repeating: 0, count: expected.count)
      for rank in ranks { for place in sum.indices { sum[place] += rank[index][place] } }
      #expect(relativeError(sum, expected, floor: 1e-3 * norm) < 1e-5)
      // Alone, no rank has it.
      if weights.0 > 0, index == 3 {
        #expect(relativeError(ranks[0][index], expected, floor: 1e-3 * norm) > 1e-2)
      }
    }
  }

  @Test func statisticsOfEachRankAreAveragedWhereTheyAreNotSynchronised() throws {
    var options = Self.options()
    let whole = try Self.run(.cleanclip, resNet: true, options, .single)
    options.syncsBatchNorm = false
    let ranks = try ThreadRanks(2).run { [options] (communicator) throws(CLIPError) in
      try Self.run(.cleanclip, resNet: true, options, communicator)
    }.map { try $0.get() }
    #expect(ranks[0].bits == ranks[1].bits)
    // Other statistics give another loss from the first step on.
    #expect(abs(ranks[0].losses[0].loss - whole.losses[0].loss) > 1e-3)
  }

  /// Ranks measure different peaks, and must still have as many chunks.
  @Test func aMemoryBudgetChoosesOneChunkForAllRanks() throws {
    var options = Self.options()
    options.memoryBudget = 1 << 40
    let ranks = try ThreadRanks(2).run { [options] (communicator) throws(CLIPError) in
      try Self.run(.cleanclip, resNet: true, options, communicator)
    }.map { try $0.get() }
    let whole = try Self.run(.cleanclip, resNet: true, Self.options(), .single)
    #expect(ranks[0].bits == ranks[1].bits)
    #expect(abs(ranks[0].losses[0].loss - whole.losses[0].loss) < 1e-4)
  }

  /// As many bytes as the formula of the cost says: gradients twice, features of all ranks.
  @Test func communicationIsCounted() throws {
    let ranks = ThreadRanks(2)
    var options = Self.options()
    options.epochs = 1
    _ = try ranks.run { [options] (communicator) throws(CLIPError) in
      try Self.run(.fineTuning, resNet: false, options, communicator)
    }.map { try $0.get() }
    let weights = try TinyRun.model().parameters.reduce(0) { $0 + $1.value.count }
    let features = 2 * 4 * 6
    let perStep = 4 * (weights + features)
    #expect(ranks.bytes >= 3 * perStep && ranks.bytes < 3 * perStep + 20_000)
  }
}
