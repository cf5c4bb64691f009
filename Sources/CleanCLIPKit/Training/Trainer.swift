internal import Glibc

/// Trains a model with a recipe: epochs of batches, AdamW on a warm-up and cosine schedule, a state
/// to resume from, progress and cancelling.
///
/// The same seed, data, options, threads and machine give the same weights bit for bit, with or
/// without an interruption that was resumed.
///
/// Over ranks, each computes its part of every batch, gradients are summed, and every rank makes the same
/// update: their weights stay the same bits, which is checked. Rank 0 keeps the state, and any number
/// of ranks resumes it. Callers run all of it inside `Communicator.together`.
package final class Trainer {
  private let recipe: any Recipe
  private let source: BatchSource
  private let options: TrainingOptions
  private let schedule: LearningRateSchedule
  private let optimizer: AdamW
  private let identity: WorkIdentity
  private let communicator: Communicator
  /// Whether rank 0 keeps a state.
  private let keepsState: Bool
  /// Whether the ranks have been found to have the same weights after an update.
  private var hasCompared = false
  private var position = TrainingState.Position()
  private var history = TrainingHistory()
  /// What the rows that were trained on hold.
  private var contents = RowContents()
  private var clock = Clock()

  /// Times of this process's part of the run.
  private struct Clock {
    var start = 0.0
    var waiting = 0.0
    var pairs = 0
    /// When the epoch began, moved back by what an interrupted run had spent in it.
    var epochStart = 0.0
  }

  /// Checks options against the data and that a state can be kept, allocates the optimizer, and
  /// reads the state to resume from.
  ///
  /// - Parameter settings: options of the recipe, which tell its saved state from another run's.
  /// - Throws: `invalidArgument` for options that cannot be; `state` or `format` for a state that
  ///   does not fit; `outOfMemory`.
  package init(
    _ recipe: any Recipe, source: BatchSource, options: TrainingOptions,
    settings: [String: String] = [:], communicator: Communicator = .single
  ) throws(CLIPError) {
    try options.validate()
    guard options.batchSize >= recipe.smallestBatch else {
      throw CLIPError(
        .invalidArgument,
        "options: batch_size is too small for \(recipe.name); expected at least "
          + "\(recipe.smallestBatch), got \(options.batchSize)")
    }
    guard source.pairs > 0 else {
      throw CLIPError(
        .invalidArgument, "data: the dataset is empty; expected captioned images, got none")
    }
    guard source.batchesPerEpoch > 0, options.batchSize <= source.pairs else {
      throw CLIPError(
        .invalidArgument,
        "options: batch_size is larger than the dataset; expected at most \(source.pairs), "
          + "got \(options.batchSize); use a smaller batch or more data")
    }
    let (steps, overflow) = source.batchesPerEpoch.multipliedReportingOverflow(by: options.epochs)
    guard !overflow, steps < 1 << 52 else {
      throw CLIPError(
        .invalidArgument,
        "options: epochs is out of range; expected fewer steps, "
          + "got \(options.epochs) epochs of \(source.batchesPerEpoch)")
    }
    self.recipe = recipe
    self.source = source
    self.options = options
    schedule = LearningRateSchedule(
      base: options.learningRate, warmup: options.warmupSteps, total: steps)
    for parameter in recipe.parameters { parameter.gradient = nil }
    optimizer = try AdamW(recipe.parameters, options: options.adam)
    identity = Self.identity(recipe, source, options, settings)
    self.communicator = communicator
    let facts = communicator.isSingle ? [:] : try Self.facts(source, options)
    try communicator.agree(on: identity.required.merging(facts) { identity, _ in identity })
    let directory = communicator.rank == 0 ? options.stateDirectory : nil
    if let directory { try SavedStateKind.checkFolder(directory) }
    keepsState = try communicator.gather(directory != nil, for: .state)[0]
    try resume(from: options.resume ? directory : nil)
  }

  /// Reads the state on rank 0, if there is one, and hands it to every rank.
  private func resume(from directory: String?) throws(CLIPError) {
    let exists = directory.map { TrainingState.exists(in: $0) } ?? false
    guard try communicator.gather(exists, for: .state)[0] else { return }
    if let directory {
      let end = TrainingState.Position(
        epoch: options.epochs, batch: source.batchesPerEpoch, step: schedule.total)
      (position, history, contents) = try TrainingState.load(
        into: savedTensors, identity: identity, end: end, from: directory
      ) { (contents) throws(CLIPError) in try Self.compared(contents, source) }
    }
    try TrainingState.share(savedTensors, &position, &history, &contents, communicator)
    optimizer.resume(afterSteps: position.step)
    for parameter in recipe.parameters { parameter.valueDidChange() }
  }

  /// The steps that were done before this process, as far as the state that was resumed has them.
  package var resumedSteps: [TrainingProgress] {
    history.steps.prefix(position.step).enumerated().map { index, step in
      TrainingProgress(
        epoch: step.epoch, epochs: options.epochs, step: index + 1, steps: schedule.total,
        losses: step.losses, learningRate: step.learningRate, logitScale: step.logitScale,
        samplesPerSecond: 0, waitingFraction: 0, plannedBytes: 0)
    }
  }

  /// Trains to the end.
  ///
  /// - Parameter progress: called after each step on the calling thread; `false` cancels.
  /// - Returns: the losses of steps and epochs, those before an interruption included.
  /// - Throws: `cancelled`, with the state saved; `state` when a loss or a gradient is not finite,
  ///   with the weights of the last step before; what data and state files throw.
  package func run(
    progress: (TrainingProgress) -> Bool = { _ in true }
  ) throws(CLIPError) -> TrainingHistory {
    defer { for parameter in recipe.parameters { parameter.gradient = nil } }
    clock.start = monotonicSeconds()
    while position.epoch < options.epochs {
      clock.epochStart = monotonicSeconds() - position.seconds
      try runEpoch(progress)
      let count = Double(max(1, position.batch))
      history.epochs.append(
        TrainingHistory.Epoch(
          epoch: position.epoch + 1, steps: position.batch,
          losses: StepLosses(
            loss: position.sums.loss / count,
            crossmodalLoss: position.sums.crossmodalLoss / count,
            inmodalLoss: position.sums.inmodalLoss / count),
          logitScale: logitScale, seconds: monotonicSeconds() - clock.epochStart))
      position = TrainingState.Position(
        epoch: position.epoch + 1, step: position.step, plan: position.plan)
      try save()
    }
    return history
  }

  private func runEpoch(_ progress: (TrainingProgress) -> Bool) throws(CLIPError) {
    let stream = try source.open(position.epoch, position.batch)
    while position.batch < source.batchesPerEpoch {
      let start = monotonicSeconds()
      let next = try stream.next()
      clock.waiting += monotonicSeconds() - start
      guard let batch = next else { break }
      try contents.add(batch.contents, communicator)
      try recipe.willStep(position.step, epoch: position.epoch)
      let rate = schedule.rate(at: position.step) * recipe.learningRateFactor
      let losses = try step(batch, learningRate: rate)
      position.step += 1
      position.batch += 1
      position.sums.loss += losses.loss
      position.sums.crossmodalLoss += losses.crossmodalLoss
      position.sums.inmodalLoss += losses.inmodalLoss
      history.steps.append(
        TrainingHistory.Step(
          epoch: position.epoch + 1, losses: losses, learningRate: rate, logitScale: logitScale))
      clock.pairs += batch.count * communicator.size
      let goesOn = try communicator.gather(progress(report(losses, rate)), for: .cancelling)
      if let rank = goesOn.firstIndex(of: false) {
        position.seconds = monotonicSeconds() - clock.epochStart
        try save()
        throw CLIPError(
          .cancelled,
          "\(recipe.name): cancelled after step \(position.step) of \(schedule.total)"
            + (communicator.isSingle ? "" : " by rank \(rank)"))
      }
      if options.saveEvery > 0, position.step % options.saveEvery == 0,
        position.batch < source.batchesPerEpoch
      {
        position.seconds = monotonicSeconds() - clock.epochStart
        try save()
      }
    }
    guard position.batch > 0 else {
      throw CLIPError(
        .invalidArgument,
        "data: epoch \(position.epoch + 1) has no complete batch; expected "
          + "\(source.batchesPerEpoch) of \(options.batchSize) pairs, got none")
    }
  }

  /// One update, or an error and no change at all.
  private func step(
    _ batch: TrainingBatch, learningRate: Float
  ) throws(CLIPError) -> StepLosses {
    try check(batch)
    if position.plan == nil, options.chunkSize == nil, let budget = options.memoryBudget {
      position.plan = try MemoryPlan.measure(recipe, batch, pass, budget: budget)
      optimizer.clearGradients()
    }
    let snapshot = try BatchNormSnapshot(recipe.model)
    let losses: StepLosses
    do throws(CLIPError) {
      losses = try summedGradients(batch)
      if !options.syncsBatchNorm {
        let norms = recipe.model.batchNorms.map(\.norm)
        try communicator.average(
          norms.flatMap { [$0.runningMean, $0.runningVariance] }, for: .statistics)
      }
    } catch {
      snapshot.restore()
      throw error
    }
    let broken = losses.loss.isFinite ? optimizer.nonFiniteGradients() : []
    guard losses.loss.isFinite, broken.isEmpty else {
      snapshot.restore()
      let what = losses.loss.isFinite ? "the gradient of '\(broken[0])'" : "the loss"
      throw CLIPError(
        .state,
        "\(recipe.name): \(what) is not finite at step \(position.step + 1) of \(schedule.total) "
          + "(epoch \(position.epoch + 1)); expected a finite number, got \(losses.loss) as loss; "
          + "the model keeps the weights of step \(position.step); use a lower learning rate")
    }
    optimizer.update(learningRate: learningRate)
    recipe.didUpdate()
    if !hasCompared { try compareWeights(after: position.step + 1) }
    return losses
  }

  /// Leaves the gradients of the batch in the parameters, of which every rank computes its part.
  private func summedGradients(_ batch: TrainingBatch) throws(CLIPError) -> StepLosses {
    guard !communicator.isSingle else { return try recipe.accumulateGradients(batch, pass) }
    let sums = GradientSums(recipe.parameters, communicator)
    let pass = pass(sums)
    return try sums.run { () throws(CLIPError) in try recipe.accumulateGradients(batch, pass) }
  }

  /// How the next passes are computed.
  private var pass: Pass { pass(nil) }

  private func pass(_ sums: GradientSums?) -> Pass {
    Pass(
      precision: options.precision, chunkSize: options.chunkSize ?? position.plan?.chunkSize,
      communicator: communicator, syncsBatchNorm: options.syncsBatchNorm, sums: sums)
  }

  /// Checks that every rank has the same weights and moments.
  ///
  /// - Throws: `state` naming a rank that has others.
  private func compareWeights(after step: Int) throws(CLIPError) {
    guard !communicator.isSingle else { return }
    let own = Fingerprint.value(of: savedTensors.map(\.tensor))
    let all = try communicator.gather(own, for: .weights)
    hasCompared = true
    guard let other = all.firstIndex(where: { $0 != all[0] }) else { return }
    throw CLIPError(
      .state,
      "communicator: rank \(other) has other weights than rank 0 after step \(step); expected the same "
        + "bits on every rank, got another fingerprint; use a sum that gives every rank the same bits, "
        + "and processors of one kind")
  }

  private func check(_ batch: TrainingBatch) throws(CLIPError) {
    let rows = batch.views * batch.count
    guard batch.count > 0, batch.views == recipe.needs.views, batch.pixels.shape[0] == rows,
      !recipe.needs.captions || batch.tokens.count == rows,
      !recipe.needs.labels || batch.labels?.count == batch.count
    else {
      throw CLIPError(
        .invalidArgument,
        "data: a batch does not fit \(recipe.name); expected \(recipe.needs), got pixels "
          + "\(batch.pixels.shape), \(batch.views) views, \(batch.tokens.count) captions, "
          + "\(batch.labels?.count ?? 0) labels")
    }
  }

  private var logitScale: Float { expf(recipe.model.logitScale.value.f32[0]) }

  private func report(_ losses: StepLosses, _ rate: Float) -> TrainingProgress {
    let elapsed = max(1e-9, monotonicSeconds() - clock.start)
    return TrainingProgress(
      epoch: position.epoch + 1, epochs: options.epochs, step: position.step,
      steps: schedule.total, losses: losses, learningRate: rate, logitScale: logitScale,
      samplesPerSecond: Double(clock.pairs) / elapsed, waitingFraction: clock.waiting / elapsed,
      plannedBytes: position.plan?.plannedBytes ?? 0)
  }

  private var savedTensors: [(name: String, tensor: Tensor)] {
    recipe.state.map { ("model." + $0.name, $0.tensor) } + optimizer.state()
  }

  /// Saves the state on rank 0; every rank calls it.
  private func save() throws(CLIPError) {
    guard keepsState else { return }
    try compareWeights(after: position.step)
    guard communicator.rank == 0, let directory = options.stateDirectory else { return }
    try TrainingState.save(
      savedTensors, position: position, history: history, contents: contents, identity: identity,
      in: directory)
  }
}
