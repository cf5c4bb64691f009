/// Where a run is, after each step.
package struct TrainingProgress: Equatable, Sendable {
  /// From 1.
  package var epoch: Int
  package var epochs: Int
  /// Steps done, of the whole run.
  package var step: Int
  package var steps: Int
  package var losses: StepLosses
  package var learningRate: Float
  /// s, the factor of the similarities (not its logarithm).
  package var logitScale: Float
  /// Pairs a second since the run started or was resumed.
  package var samplesPerSecond: Double
  /// Fraction of the time spent waiting for data.
  package var waitingFraction: Double
  /// Bytes of tensors that the plan under `memoryBudget` expects at most; 0 without a budget.
  package var plannedBytes: Int
  /// What the run does, for methods that do more than steps of training; `nil` for the others.
  package var phase: RunPhase?
}

extension TrainingProgress {
  /// Where a run is before its first step.
  ///
  /// - Parameter steps: of the whole run, as far as it is known.
  init(_ phase: RunPhase?, steps: Int = 0) {
    self.init(
      epoch: 1, epochs: 1, step: 0, steps: steps, losses: StepLosses(loss: 0), learningRate: 0,
      logitScale: 0, samplesPerSecond: 0, waitingFraction: 0, plannedBytes: 0, phase: phase)
  }
}

/// A part of a run and how far it is: reading, searching, a round of training.
package struct RunPhase: Equatable, Sendable {
  /// For people, such as "searching for targets".
  package var name: String
  package var done: Int
  /// 0 while it is not known.
  package var total: Int
}

/// The losses of one step.
package struct StepLosses: Equatable, Sendable, BitwiseCopyable {
  /// What is minimised.
  package var loss: Double
  /// The multimodal contrastive loss, unweighted; 0 when the recipe has none.
  package var crossmodalLoss = 0.0
  /// The unimodal self-supervised loss, unweighted; 0 when the recipe has none.
  package var inmodalLoss = 0.0

  package init(loss: Double, crossmodalLoss: Double = 0, inmodalLoss: Double = 0) {
    self.loss = loss
    self.crossmodalLoss = crossmodalLoss
    self.inmodalLoss = inmodalLoss
  }
}
