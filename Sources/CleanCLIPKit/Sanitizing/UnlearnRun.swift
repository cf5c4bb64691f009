internal import Glibc

/// Unlearning from beginning to end: recover, unlearn, look again, and a verdict.
final class UnlearnRun: SanitizeRun {
  private let input: SanitizeInput
  private let model: CLIPModel
  private let options: UnlearnOptions
  private let training: TrainingOptions
  private let side: Int
  private let logitScale: Float
  private let start = monotonicSeconds()

  /// Images that triggers are searched with.
  private static let searchedImages = 256

  /// - Throws: `unsupported` without an image tower; `format` when weights are not finite.
  init(_ input: SanitizeInput, _ options: SanitizeOptions) throws(CLIPError) {
    guard input.model.configuration.vision != nil else {
      throw CLIPError(
        .unsupported,
        "unlearn: the model has no image tower; expected visual weights, got text only")
    }
    let broken = input.model.nonFiniteTensors()
    guard broken.isEmpty else { throw CLIPError.nonFinite(broken) }
    self.input = input
    self.options = options.unlearn
    training = options.training
    model = input.model
    side = try FeatureEncoder(model).imageSize()
    logitScale = min(100, expf(model.logitScale.value.f32[0]))
    for trigger in self.options.triggers where trigger.side != side {
      throw CLIPError(
        .shape,
        "unlearn: a trigger is for images of another size; expected \(side) x \(side) pixels, got "
          + "\(trigger.side) x \(trigger.side)")
    }
  }

  func run(
    _ history: inout SanitizeHistory, progress: (TrainingProgress) -> Bool
  ) throws(CLIPError) {
    var reporter = UnlearnProgress(options, batchSize: training.batchSize, start: start)
    defer { history.steps = reporter.steps }
    let images = try UnlearnImages.read(
      input.dataset, imageSize: side, preprocessing: model.configuration.preprocessing,
      limit: options.imageLimit, seed: training.seed, log: input.log
    ) { _ in progress(reporter.position) }
    let teacher = try model.imageTowerCopy()
    let searched = try images.searched(Self.searchedImages)
    let search = UnlearnSearch(
      images: searched,
      meanings: try teacher.unitFeatures(ofPixels: searched, precision: training.precision),
      options: options, training: training)
    let verification = try UnlearnVerification(
      teacher: teacher, images: try images.heldOut(), precision: training.precision,
      nouns: try nouns())

    var outcome = UnlearnOutcome(imageCount: images.trainingCount)
    defer {
      history.outcome = outcome.json
      history.verdict = outcome.verdict
      history.notes = outcome.notes
    }
    var found = try search.recovered(on: teacher, round: 1) { progress(reporter.position) }
    found += try options.triggers.map { (trigger) throws(CLIPError) in
      try FixedTrigger.wrapping(trigger)
    }
    for trigger in found {
      outcome.evidence.append(
        try verification.evidence(trigger, foundOn: teacher, round: 1, logitScale: logitScale))
    }
    input.log(outcome.summary)
    guard !options.triggers.isEmpty || outcome.evidence.contains(where: \.isBackdoor) else {
      outcome.finish(.nothingFound, agreement: try verification.agreement(verification.meanings))
      return
    }
    try unlearn(
      Unlearner(
        student: model, teacher: teacher, images: images, pool: try TriggerPool(found),
        options: options, training: training,
        renewal: { [model] (family, random) throws(CLIPError) in
          try search.recovery(on: model, round: 1, steps: self.options.recoverySteps / 2)
            .recover(family, using: &random) { true }
        }),
      search, verification, &outcome, &reporter, progress)
  }

  /// Rounds until fresh searches find nothing, or the limit on accuracy is reached.
  private func unlearn(
    _ unlearner: Unlearner, _ search: UnlearnSearch, _ verification: UnlearnVerification,
    _ outcome: inout UnlearnOutcome, _ reporter: inout UnlearnProgress,
    _ progress: (TrainingProgress) -> Bool
  ) throws(CLIPError) {
    for round in 1...options.rounds {
      try train(unlearner, round: round, &reporter, progress)
      let plain = try verification.plain(model)
      for index in outcome.evidence.indices {
        try verification.measure(&outcome.evidence[index], on: model, plain: plain)
      }
      outcome.rounds = round
      outcome.agreement = try verification.agreement(plain)
      if let limit = options.maxAccuracyLoss, 100 * outcome.agreement.loss > Double(limit) {
        outcome.isLimited = true
        break
      }
      var fresh: [TriggerEvidence] = []
      for trigger in try search.recovered(
        on: model, round: round + 1, progress: { progress(reporter.position) })
      {
        var evidence = try verification.evidence(
          trigger, foundOn: model, round: round + 1, logitScale: logitScale)
        try verification.measure(&evidence, on: model, plain: plain)
        fresh.append(evidence)
      }
      outcome.fresh = fresh
      input.log("round \(round): " + outcome.summary)
      let left = fresh.filter(\.isBackdoor)
      guard !left.isEmpty, round < options.rounds else { break }
      outcome.evidence += left
      try unlearner.pool.add(left.map(\.trigger))
    }
    outcome.conclude()
  }

  private func train(
    _ unlearner: Unlearner, round: Int, _ reporter: inout UnlearnProgress,
    _ progress: (TrainingProgress) -> Bool
  ) throws(CLIPError) {
    let live = round == 1 ? options.steps : options.laterSteps
    let schedule = LearningRateSchedule(
      base: options.learningRate(for: model.configuration), warmup: options.warmup,
      total: live + options.settlingSteps)
    for step in 0..<schedule.total {
      let rate = schedule.rate(at: step)
      let result = try unlearner.next(learningRate: rate, isLive: step < live)
      let position = reporter.next(round: round, result, rate: rate, logitScale: logitScale)
      guard progress(position) else {
        throw CLIPError(.cancelled, "unlearn: cancelled after step \(position.step)")
      }
    }
  }

  private func nouns() throws(CLIPError) -> TextVocabulary? {
    guard let tokenizer = input.tokenizer, model.configuration.text != nil else { return nil }
    return try TextVocabulary(
      names: CommonNouns.all, model: model, tokenizer: tokenizer, precision: training.precision)
  }
}

/// The searches of a run, all with the same images.
struct UnlearnSearch {
  let images: Tensor
  let meanings: Tensor
  let options: UnlearnOptions
  let training: TrainingOptions

  /// - Parameter round: another seed for each.
  func recovery(on model: CLIPModel, round: Int, steps: Int) -> TriggerRecovery {
    TriggerRecovery(
      inversion: TriggerInversion(
        model: model, images: images, meanings: meanings, precision: training.precision),
      families: options.families, perFamily: options.triggersPerFamily,
      patchCount: options.patches, steps: steps,
      seed: training.seed &+ UInt64(round) << 32)
  }

  func recovered(
    on model: CLIPModel, round: Int, progress: () -> Bool
  ) throws(CLIPError) -> [any LearnedTrigger] {
    try recovery(on: model, round: round, steps: options.recoverySteps).recover { _ in progress() }
  }
}

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

extension CLIPModel {
  /// Returns a frozen copy of the image tower alone.
  func imageTowerCopy() throws(CLIPError) -> CLIPModel {
    var configuration = configuration
    configuration.text = nil
    let names = Set(configuration.tensorSpecifications.map(\.name))
    var tensors: [String: Tensor] = [:]
    for (name, tensor) in stateDict() where names.contains(name) { tensors[name] = tensor }
    let copy = try CLIPModel(configuration, tensors: tensors)
    for parameter in copy.parameters { parameter.isTrainable = false }
    return copy
  }
}
