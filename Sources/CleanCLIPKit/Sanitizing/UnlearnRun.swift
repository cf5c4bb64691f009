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
  /// Attack success below which a trigger that is given has no effect.
  private static let tolerance = 0.05

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
    for trigger in self.options.triggers {
      _ = try trigger.applied(to: try Tensor.zeros([1, 3, side, side]), seed: 0, firstIndex: 0)
    }
    guard hasTexts || self.options.classes.isEmpty else {
      throw CLIPError(
        .unsupported,
        "unlearn: class names need a text tower and its tokenizer; expected both, got "
          + (input.tokenizer == nil ? "no tokenizer" : "an image tower alone"))
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
    let meanings = try teacher.unitFeatures(ofPixels: searched, precision: training.precision)
    let candidates = TargetCandidates(
      model: teacher, images: searched, features: meanings, options: searchOptions)
    let vocabulary = try vocabulary(candidates) { progress(reporter.position) }
    let heldOut = try images.heldOut()
    let verification = try UnlearnVerification(
      teacher: teacher, images: heldOut, precision: training.precision, vocabulary: vocabulary)
    var settings = ModelCheckOptions()
    settings.search = searchOptions
    let search = TargetSearch(
      vocabulary: vocabulary, images: searched, heldOut: heldOut, before: verification.before,
      options: settings)
    let read = try vocabulary.nearest(to: meanings)

    let eligible = ModelCheck.eligible(vocabulary, read: read)
    // Fewer would compare nothing, and say that there is nothing to find.
    guard eligible.count >= ModelCheck.fewestClasses || !options.triggers.isEmpty else {
      throw CLIPError(
        .invalidArgument,
        "unlearn: the images are too much alike; expected at least \(ModelCheck.fewestClasses) "
          + "\(hasTexts ? "classes" : "groups of images") to compare, got \(eligible.count); give "
          + "images of more kinds")
    }
    let found = try search.run(teacher, toward: eligible) { _ in progress(reporter.position) }
    // From here on there is something to tell; a run that is cancelled before has no outcome.
    var outcome = UnlearnOutcome(imageCount: images.trainingCount, vocabulary: vocabulary)
    defer {
      history.outcome = outcome.json
      history.verdict = outcome.verdict
      history.notes = outcome.notes
    }
    outcome.searches = found
    outcome.suspects = TargetSearch.suspects(among: found)
    input.log(outcome.summary)
    let recovery = UnlearnRecovery(
      images: searched, read: read, vocabulary: vocabulary, options: options, training: training)
    var kept: [TriggerPool.Entry] = []
    func keep(
      _ entries: [TriggerPool.Entry], from model: CLIPModel, round: Int, atLeast success: Double
    ) throws(CLIPError) {
      for entry in entries {
        let evidence = try verification.evidence(entry, foundOn: model, round: round)
        guard evidence.before.value >= success else { continue }
        input.log(evidence.line)
        outcome.evidence.append(evidence)
        kept.append(entry)
      }
    }
    try keep(try given(verification, teacher), from: teacher, round: 1, atLeast: Self.tolerance)
    for suspect in outcome.suspects {
      try keep(
        try recovery.recover(suspect, on: teacher, round: 1) { progress(reporter.position) },
        from: teacher, round: 1, atLeast: UnlearnRecovery.fewestSuccesses)
    }
    guard !kept.isEmpty else {
      outcome.finish(
        .nothingFound, agreement: try verification.agreement(of: verification.meanings))
      return
    }
    let unlearner = try Unlearner(
      student: model, teacher: teacher, images: images, pool: try TriggerPool(kept),
      options: options, training: training,
      renewal: { [model] (old, random) throws(CLIPError) in
        try recovery.renew(old, on: model, using: &random)
      })
    let targets = Set(kept.map(\.target))
    for round in 1...options.rounds {
      try train(unlearner, round: round, &reporter, progress)
      outcome.rounds = round
      try verification.measure(&outcome, on: model)
      input.log("round \(round): " + outcome.progress)
      if let limit = options.maxAccuracyLoss, 100 * outcome.agreement.loss > Double(limit) {
        outcome.isLimited = true
        break
      }
      let again = try search.run(model, toward: targets.sorted()) { _ in
        progress(reporter.position)
      }
      outcome.fresh = TargetSearch.compared(again, with: found, without: targets)
      guard round < options.rounds, targets.contains(where: outcome.isLeft) else { break }
      // What is left without a class that stands out needs more of the same, not other triggers.
      kept = []
      for suspect in outcome.fresh where suspect.pValue < TargetSearch.level {
        try keep(
          try recovery.recover(suspect, on: model, round: round + 1) {
            progress(reporter.position)
          }, from: model, round: round + 1, atLeast: UnlearnRecovery.fewestSuccesses)
      }
      try unlearner.pool.add(kept)
    }
    outcome.conclude()
  }

  /// Whether classes and nouns can be embedded.
  private var hasTexts: Bool { input.tokenizer != nil && model.configuration.text != nil }

  private var searchOptions: TriggerSearchOptions {
    var search = options.search
    search.precision = training.precision
    search.seed = training.seed
    return search
  }

  /// The classes that may be a target.
  private func vocabulary(
    _ candidates: TargetCandidates, progress: () -> Bool
  ) throws(CLIPError) -> TextVocabulary {
    guard let tokenizer = input.tokenizer, model.configuration.text != nil else {
      return try candidates.groups()
    }
    var names = options.classes.isEmpty ? CommonNouns.all : options.classes
    // A name that stands twice, as in ImageNet's list, would be its own rival.
    var known: Set<String> = []
    names.removeAll { !known.insert($0).inserted }
    return try candidates.chosen(
      of: try TextVocabulary(
        names: names, templates: options.templates, model: model, tokenizer: tokenizer,
        precision: training.precision), progress: progress)
  }

  /// The user's triggers, each with its predicted target.
  private func given(
    _ verification: UnlearnVerification, _ teacher: CLIPModel
  ) throws(CLIPError) -> [TriggerPool.Entry] {
    var entries: [TriggerPool.Entry] = []
    for found in options.triggers {
      let trigger = try FixedTrigger.wrapping(found, side: side)
      let item = TriggerRecovery.Item(family: trigger.family, number: 0)
      let target = try verification.target(of: trigger, on: teacher)
      entries.append(TriggerPool.Entry(trigger: trigger, target: target, item: item))
    }
    return entries
  }

  private func train(
    _ unlearner: Unlearner, round: Int, _ reporter: inout UnlearnProgress,
    _ progress: (TrainingProgress) -> Bool
  ) throws(CLIPError) {
    let live = round == 1 ? options.steps : options.laterSteps
    let schedule = LearningRateSchedule(
      base: options.learningRate(for: model.configuration) * (round == 1 ? 1 : options.laterRate),
      warmup: options.warmup,
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
