/// How many pairs fit into a number of bytes, measured before the first step.
struct MemoryPlan: Equatable {
  /// Bytes that do not depend on the chunk: weights, gradients, moments, the batch.
  let fixedBytes: Int
  /// Bytes of activations and gradients for each pair of a chunk.
  let bytesPerPair: Int
  let chunkSize: Int

  var plannedBytes: Int { fixedBytes + chunkSize * bytesPerPair }

  /// Runs one and two pairs of the batch through the recipe and extrapolates to the budget.
  ///
  /// Gradients are left behind for the caller to clear; running statistics are put back.
  ///
  /// - Throws: `invalidArgument` when not even one pair fits; what the recipe throws.
  static func measure(
    _ recipe: any Recipe, _ batch: TrainingBatch, precision: DType, budget: Int
  ) throws(CLIPError) -> MemoryPlan {
    let snapshot = try BatchNormSnapshot(recipe.model)
    var peaks: [Int] = []
    // The first run makes what later ones find: gradients, weights in other layouts.
    for count in [1, 1, 2] {
      let part = try batch.pairs(0..<min(count, batch.count))
      MemoryPool.shared.resetPeak()
      _ = try recipe.accumulateGradients(part, precision: precision, chunkSize: nil)
      peaks.append(MemoryPool.shared.statistics.peakBytes)
    }
    snapshot.restore()
    let bytesPerPair = max(1, peaks[2] - peaks[1])
    let fixedBytes = max(0, peaks[1] - bytesPerPair)
    guard fixedBytes + bytesPerPair <= budget else {
      throw CLIPError(
        .invalidArgument,
        "options: memory_budget is too small; expected at least \(fixedBytes + bytesPerPair) bytes "
          + "for this model, got \(budget)")
    }
    let fitting = (budget - fixedBytes) / bytesPerPair
    // Loading threads allocate meanwhile; a power of two hides small differences between runs.
    let rounded = 1 << (Int.bitWidth - 1 - fitting.leadingZeroBitCount)
    return MemoryPlan(
      fixedBytes: fixedBytes, bytesPerPair: bytesPerPair,
      chunkSize: fitting >= batch.count ? batch.count : rounded)
  }
}
