internal import Glibc

/// The passes of a batch of unlearning, and what they take.
struct UnlearnPass {
  let student: CLIPModel
  let training: TrainingOptions
  let loss: UnlearnLoss
  let communicator: Communicator

  /// Adds the gradients of a batch, or of a rank's part of it.
  ///
  /// - Parameters:
  ///   - meanings: what the clean images shall mean; `aims`: what those with a trigger shall.
  ///   - targets: of each image, that of its trigger; see `UnlearnLoss.evaluate`.
  ///   - batch: images of the whole batch.
  ///   - needsPixels: whether dL/d(triggered images) is wanted.
  ///   - chunk: images, with and without a trigger, that are held at once; `nil` for all.
  ///   - sums: takes up gradients that are complete; `nil` where nobody waits for them.
  func accumulate(
    _ clean: Tensor, _ triggered: Tensor, _ meanings: Tensor, _ aims: Tensor,
    targets: [Int?] = [], of batch: Int, needsPixels: Bool, chunk: Int?, sums: GradientSums? = nil
  ) throws(CLIPError) -> (result: UnlearnLoss.Result, dPixels: Tensor?) {
    let count = clean.shape[0]
    let size = min(count, chunk ?? count)
    let scale = PixelScale(student.configuration)
    let pass = Pass(precision: training.precision, sums: sums)
    let dPixels = needsPixels ? try Tensor(triggered.shape) : nil
    var sum: UnlearnLoss.Result?
    for first in stride(from: 0, to: count, by: size) {
      let rows = first..<min(count, first + size)
      let input = Variable(
        try scale.normalized(try Tensor.joined(clean.slice(rows), triggered.slice(rows))),
        requiresGradient: needsPixels)
      let tape = pass.tape(isTraining: false, isLast: rows.upperBound == count)
      let features = try tape.normalize(try student.imageFeatures(tape, input))
      let result = try loss.evaluate(
        features.value, try Tensor.joined(meanings.slice(rows), aims.slice(rows)),
        isTriggered: (0..<2 * rows.count).map { $0 >= rows.count },
        targets: targets.isEmpty ? [] : Array(targets[rows] + targets[rows]), cleanCount: batch,
        triggeredCount: batch)
      sum = sum.map { $0 + result } ?? result
      guard result.loss.isFinite else { break }
      try tape.backward(features, gradient: result.gradient)
      guard let dPixels, let dInput = input.gradient else { continue }
      let part = try scale.pixelGradient(dInput.slice(rows.count..<2 * rows.count))
      memcpy(dPixels.slice(rows).bytes, part.bytes, part.byteCount)
    }
    guard let sum else {
      throw CLIPError(.internal, "unlearn: the batch is empty; expected images, got none")
    }
    return (sum, dPixels)
  }

  /// Images that the searches and inversions of a run hold at once.
  private static let fewestChunk = 8

  /// Measures how many images of a batch fit into the memory budget, before the work; gradients are cleared.
  ///
  /// - Parameter teacher: the image tower as it was.
  /// - Returns: `nil` without a budget.
  /// - Throws: `invalidArgument` for a budget that a run cannot stay within.
  func plan(_ images: UnlearnImages, teacher: CLIPModel) throws(CLIPError) -> MemoryPlan? {
    guard training.chunkSize == nil, let budget = training.memoryBudget else { return nil }
    var random = RandomNumbers(seed: training.seed, 0x6D65_6D6F)
    let clean = communicator.ownRows(of: try images.batch(training.batchSize, using: &random))
    let triggered = try clean.copy()
    let meanings = try teacher.unitFeatures(ofPixels: clean, precision: training.precision)
    let batch = clean.shape[0]
    defer { for parameter in student.imageParameters { parameter.gradient = nil } }
    let plan = try MemoryPlan.measure(
      batch: batch, budget: budget, fewest: min(Self.fewestChunk, batch),
      otherBytes: images.byteCount + heldBytes
    ) { (count) throws(CLIPError) in
      let rows = 0..<count
      _ = try accumulate(
        clean.slice(rows), triggered.slice(rows), meanings.slice(rows), meanings.slice(rows),
        of: count, needsPixels: true, chunk: nil)
    }
    return try communicator.smallest(plan)
  }

  /// What a run holds from its first step on: two moments of the optimizer, and the weights that a round
  /// began with.
  private var heldBytes: Int { 3 * student.imageParameters.reduce(0) { $0 + $1.value.byteCount } }
}
