import CleanCLIPKit
import Testing

@Suite struct GradientCachingTests {
  private static func gradients(
    _ weights: (Float, Float), chunkSize: Int?
  ) throws -> (StepLosses, [(String, [Float])]) {
    let model = try TinyRun.model()
    let loss = CleanCLIPLoss(clipWeight: weights.0, inmodalWeight: weights.1)
    let recipe = try CleanCLIPRecipe(model, loss: loss)
    let batch = try TinyRun.batch(Array(0..<7), views: loss.views)
    let losses = try recipe.accumulateGradients(batch, Pass(chunkSize: chunkSize))
    return (losses, model.parameters.map { ($0.name, $0.gradient?.floats() ?? []) })
  }

  /// Chunks of 3, 3 and 1 pairs, and of one pair each.
  @Test(arguments: [1, 3], [(1, 1), (1, 0), (0, 1)] as [(Float, Float)])
  func chunksGiveTheGradientOfTheWholeBatch(chunkSize: Int, weights: (Float, Float)) throws {
    let (loss, whole) = try Self.gradients(weights, chunkSize: nil)
    let (chunkedLoss, chunked) = try Self.gradients(weights, chunkSize: chunkSize)
    #expect(abs(loss.loss - chunkedLoss.loss) < 1e-6)
    let norm = whole.flatMap(\.1).reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    for ((name, expected), (_, actual)) in zip(whole, chunked) {
      #expect(relativeError(actual, expected, floor: 1e-3 * norm) < 1e-5, "\(name)")
    }
  }

  @Test func runningStatisticsCountEachChunkOnce() throws {
    let batch = try TinyRun.batch(Array(0..<6), size: 32)
    let model = try TinyRun.model(resNet: true)
    let recipe = try CleanCLIPRecipe(model, loss: TinyRun.loss)
    _ = try recipe.accumulateGradients(batch, Pass(chunkSize: 3))

    let other = try TinyRun.model(resNet: true)
    for range in [0..<3, 3..<6] {
      let part = try TinyRun.batch(Array(range), size: 32)
      _ = try other.imageFeatures(Tape(isTraining: true), Variable(part.pixels))
    }
    #expect(model.bits == other.bits)
  }

  @Test func aMemoryBudgetChoosesTheChunk() throws {
    func plan(_ budget: Int) throws -> MemoryPlan {
      try MemoryPlan(peakOfOne: 1_100, peakOfTwo: 1_200, batch: 14, budget: budget)
    }
    #expect(try plan(2_400).chunkSize == 14 && plan(2_400).plannedBytes == 2_400)
    #expect(try plan(2_399).chunkSize == 8)
    #expect(try plan(1_799).chunkSize == 4)
    #expect(try plan(1_100).chunkSize == 1)
    #expect(throws: CLIPError.self) { try plan(1_099) }
  }

  @Test func theBudgetIsMeasuredBeforeTheFirstStep() throws {
    var options = TinyRun.options(epochs: 1)
    func run(_ budget: Int?) throws -> (planned: Int, bits: [UInt32]) {
      options.memoryBudget = budget
      let model = try TinyRun.model(resNet: true)
      let recipe = try CleanCLIPRecipe(model, loss: TinyRun.loss)
      var planned = 0
      _ = try Trainer(recipe, source: TinyRun.source(size: 32), options: options).run {
        planned = $0.plannedBytes
        return true
      }
      return (planned, model.bits)
    }
    let unlimited = try run(nil)
    let measured = try run(1 << 40)
    #expect(unlimited.planned == 0 && measured.planned > 0)
    // Measuring leaves no trace in weights and statistics.
    #expect(unlimited.bits == measured.bits)
    let error = #expect(throws: CLIPError.self) { try run(1) }
    #expect(error?.message.contains("memory_budget is too small") ?? false)
  }
}
