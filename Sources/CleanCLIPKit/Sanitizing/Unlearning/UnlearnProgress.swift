/// The steps of a run, as other methods report theirs: a round is an epoch.
struct UnlearnProgress {
  private(set) var steps: [TrainingProgress] = []
  private(set) var position: TrainingProgress
  private let batchSize: Int
  private let start: Double

  init(_ options: UnlearnOptions, batchSize: Int, start: Double) {
    self.batchSize = batchSize
    self.start = start
    position = TrainingProgress(
      epoch: 1, epochs: 1, step: 0, steps: options.steps + options.settlingSteps,
      losses: StepLosses(loss: 0), learningRate: 0, logitScale: 0, samplesPerSecond: 0,
      waitingFraction: 0, plannedBytes: 0)
  }

  mutating func next(
    round: Int, _ result: UnlearnLoss.Result, rate: Float, logitScale: Float
  ) -> TrainingProgress {
    position.epoch = round
    position.epochs = max(position.epochs, round)
    position.step += 1
    position.steps = max(position.steps, position.step)
    position.losses = StepLosses(loss: result.loss)
    position.learningRate = rate
    position.logitScale = logitScale
    position.samplesPerSecond =
      Double(position.step * batchSize) / max(1e-9, monotonicSeconds() - start)
    steps.append(position)
    return position
  }
}
