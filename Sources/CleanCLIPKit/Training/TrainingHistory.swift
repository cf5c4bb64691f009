/// What a run did, step by step and epoch by epoch, those before an interruption included.
package struct TrainingHistory: Equatable, Sendable {
  /// One update.
  package struct Step: Equatable, Sendable, BitwiseCopyable {
    /// From 1.
    package var epoch: Int
    package var losses: StepLosses
    package var learningRate: Float
    /// s after the step.
    package var logitScale: Float
  }

  /// One pass over the data.
  package struct Epoch: Equatable, Sendable, BitwiseCopyable {
    /// From 1.
    package var epoch: Int
    package var steps: Int
    /// Means over the steps.
    package var losses: StepLosses
    /// s at the end.
    package var logitScale: Float
    package var seconds: Double
  }

  package var epochs: [Epoch] = []
  package var steps: [Step] = []

  package init() {}
}

extension TrainingHistory {
  /// Integers that a step takes in a saved state.
  private static let columns = 9

  /// The steps as a tensor of integers, `[n, 9]`, bit by bit; `nil` for none.
  func stepTensor() throws(CLIPError) -> Tensor? {
    guard !steps.isEmpty else { return nil }
    var values: [Int32] = []
    values.reserveCapacity(steps.count * Self.columns)
    for step in steps {
      values.append(Int32(truncatingIfNeeded: step.epoch))
      for loss in [step.losses.loss, step.losses.crossmodalLoss, step.losses.inmodalLoss] {
        values.append(Int32(truncatingIfNeeded: loss.bitPattern))
        values.append(Int32(truncatingIfNeeded: loss.bitPattern >> 32))
      }
      values.append(Int32(bitPattern: step.learningRate.bitPattern))
      values.append(Int32(bitPattern: step.logitScale.bitPattern))
    }
    return try Tensor(values, [steps.count, Self.columns])
  }

  /// Reads what `stepTensor` wrote; `nil` for another tensor.
  static func steps(of tensor: Tensor) -> [Step]? {
    guard tensor.dtype == .i32, tensor.shape.rank == 2, tensor.shape[1] == columns else {
      return nil
    }
    return (0..<tensor.shape[0]).map { row in
      let values = tensor.i32 + row * columns
      func loss(_ column: Int) -> Double {
        Double(
          bitPattern: UInt64(UInt32(bitPattern: values[column]))
            | UInt64(UInt32(bitPattern: values[column + 1])) << 32)
      }
      return Step(
        epoch: Int(values[0]),
        losses: StepLosses(loss: loss(1), crossmodalLoss: loss(3), inmodalLoss: loss(5)),
        learningRate: Float(bitPattern: UInt32(bitPattern: values[7])),
        logitScale: Float(bitPattern: UInt32(bitPattern: values[8])))
    }
  }
}
