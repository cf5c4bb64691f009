/// Where a run of unlearning is: its phases one after another, and the steps of training, of which a round
/// is an epoch.
final class UnlearnProgress {
  private(set) var steps: [TrainingProgress] = []
  private var position: TrainingProgress
  private let batchSize: Int
  private let start = monotonicSeconds()
  private var resumedSteps = 0
  private let report: (TrainingProgress) -> Bool

  /// - Parameter report: `false` cancels.
  init(_ options: UnlearnOptions, batchSize: Int, report: @escaping (TrainingProgress) -> Bool) {
    self.batchSize = batchSize
    self.report = report
    position = TrainingProgress(nil, steps: options.steps + options.settlingSteps)
  }

  /// Takes up the steps that were done before an interruption.
  func resume(_ steps: [TrainingProgress]) {
    self.steps = steps
    resumedSteps = steps.count
    guard let last = steps.last else { return }
    let phase = position.phase
    position = last
    position.phase = phase
  }

  /// Begins a phase.
  ///
  /// - Parameters:
  ///   - total: what is counted in it; 0 when that is not known.
  ///   - done: of that before, in a run that is resumed.
  func begin(_ name: String, of total: Int, done: Int = 0) {
    position.phase = RunPhase(name: name, done: done, total: total)
  }

  /// One more of the phase is done; `false` cancels.
  func advance() -> Bool { advance(to: (position.phase?.done ?? 0) + 1) }

  /// So many of the phase are done; `false` cancels.
  ///
  /// - Parameter total: what is counted, where that was not known before.
  func advance(to done: Int, of total: Int? = nil) -> Bool {
    if let total { position.phase?.total = total }
    // What is over early, such as a search without hope, must not make a later report smaller.
    let before = position.phase?.done ?? 0
    position.phase?.done = max(before, done)
    return report(position)
  }

  /// A step of training is done; `false` cancels.
  func step(
    round: Int, _ result: UnlearnLoss.Result, rate: Float, logitScale: Float, plannedBytes: Int
  ) -> Bool {
    position.plannedBytes = plannedBytes
    position.epoch = round
    position.epochs = max(position.epochs, round)
    position.step += 1
    position.steps = max(position.steps, position.step)
    position.losses = StepLosses(loss: result.loss)
    position.learningRate = rate
    position.logitScale = logitScale
    position.samplesPerSecond =
      Double((position.step - resumedSteps) * batchSize) / max(1e-9, monotonicSeconds() - start)
    var done = position
    done.phase = nil
    steps.append(done)
    return advance()
  }
}
