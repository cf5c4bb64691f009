/// How many pairs fit into a number of bytes, measured before the first step.
package struct MemoryPlan: Equatable, BitwiseCopyable {
  /// Bytes that do not depend on the chunk: weights, gradients, moments, the batch.
  package let fixedBytes: Int
  /// Bytes of activations and gradients for each pair of a chunk.
  package let bytesPerPair: Int
  /// Pairs, at least 1.
  package let chunkSize: Int

  /// The most bytes that tensors will take.
  package var plannedBytes: Int { fixedBytes + chunkSize * bytesPerPair }

  init(fixedBytes: Int, bytesPerPair: Int, chunkSize: Int) {
    self.fixedBytes = fixedBytes
    self.bytesPerPair = bytesPerPair
    self.chunkSize = chunkSize
  }

  /// Extrapolates from the peaks of one and of two pairs to the largest chunk within the budget.
  ///
  /// - Parameter fewest: pairs that are held at once at least.
  /// - Throws: `invalidArgument` when not so many pairs fit.
  package init(
    peakOfOne: Int, peakOfTwo: Int, batch: Int, budget: Int, fewest: Int = 1
  ) throws(CLIPError) {
    bytesPerPair = max(1, peakOfTwo - peakOfOne)
    fixedBytes = max(0, peakOfOne - bytesPerPair)
    let least = fixedBytes + fewest * bytesPerPair
    guard least <= budget else {
      throw CLIPError(
        .invalidArgument,
        "options: memory_budget is too small; expected at least \(least) bytes "
          + "(\(Self.mebibytes(least))M) for this model with \(fewest == 1 ? "one pair" : "\(fewest) pairs") "
          + "at a time, \(Self.mebibytes(fixedBytes + batch * bytesPerPair))M with all \(batch) of a "
          + "step, got \(budget)")
    }
    let fitting = (budget - fixedBytes) / bytesPerPair
    // Loading threads allocate meanwhile; a power of two hides small differences between runs.
    let rounded = 1 << (Int.bitWidth - 1 - fitting.leadingZeroBitCount)
    chunkSize = fitting >= batch ? batch : rounded
  }

  /// A number of bytes in MiB, rounded up: what the option takes.
  private static func mebibytes(_ bytes: Int) -> Int { (bytes + (1 << 20) - 1) >> 20 }

  /// Runs one and two pairs of the batch through the recipe.
  ///
  /// Gradients are left behind for the caller to clear; running statistics are put back. Over ranks it
  /// is the plan of the smallest chunk, so that all have as many chunks.
  ///
  /// - Throws: `invalidArgument` when not even one pair fits; what the recipe throws.
  static func measure(
    _ recipe: any Recipe, _ batch: TrainingBatch, _ pass: Pass, budget: Int
  ) throws(CLIPError) -> MemoryPlan {
    let snapshot = try BatchNormSnapshot(recipe.model)
    defer { snapshot.restore() }
    let own = try measure(batch: batch.count, budget: budget) { (count) throws(CLIPError) in
      let part = try batch.pairs(0..<count)
      // A size, because chunks keep what the next one reads again.
      _ = try recipe.accumulateGradients(part, pass.chunked(part.count))
    }
    return try pass.communicator.smallest(own)
  }

  /// Measures what one and two pairs of a batch take.
  ///
  /// - Parameters:
  ///   - batch: pairs of a step.
  ///   - fewest: pairs that are held at once at least.
  ///   - otherBytes: what is held beside tensors.
  ///   - run: computes the gradients of so many pairs, at most `batch`, and leaves them for the caller to
  ///     clear.
  /// - Throws: `invalidArgument` when not so many pairs fit; what `run` throws.
  static func measure(
    batch: Int, budget: Int, fewest: Int = 1, otherBytes: Int = 0,
    _ run: (_ count: Int) throws(CLIPError) -> Void
  ) throws(CLIPError) -> MemoryPlan {
    var peaks: [Int] = []
    // The first run makes what later ones find: gradients, weights in other layouts.
    for count in [1, 1, 2] {
      MemoryPool.shared.resetPeak()
      try run(min(count, batch))
      peaks.append(MemoryPool.shared.statistics.peakBytes + otherBytes)
    }
    return try MemoryPlan(
      peakOfOne: peaks[1], peakOfTwo: peaks[2], batch: batch, budget: budget, fewest: fewest)
  }

  /// For a saved state, which `init(text:)` reads.
  var text: String { "\(fixedBytes) \(bytesPerPair) \(chunkSize)" }

  /// Reads what `text` wrote; `nil` for anything else.
  init?(text: String) {
    let words = text.split(separator: " ")
    let values = words.compactMap { Int($0) }
    guard words.count == 3, values.count == 3,
      values.allSatisfy({ (0..<1 << 41).contains($0) }), (1...1 << 20).contains(values[2])
    else { return nil }
    self.init(fixedBytes: values[0], bytesPerPair: values[1], chunkSize: values[2])
  }
}

extension Communicator {
  /// Returns the plan of the rank that holds the fewest pairs at once.
  func smallest(_ own: MemoryPlan) throws(CLIPError) -> MemoryPlan {
    try gather(own, for: .memoryPlan).min { $0.chunkSize < $1.chunkSize } ?? own
  }
}
