internal import Glibc

/// Unlearning from beginning to end: recover, unlearn, look again, and a verdict.
final class UnlearnRun: SanitizeRun {
  private let input: SanitizeInput
  private let model: CLIPModel
  private let allOptions: SanitizeOptions
  private var options: UnlearnOptions { allOptions.unlearn }
  private var training: TrainingOptions { allOptions.training }
  private let logitScale: Float

  /// Percentage points of agreement whose loss is no sanitizing, whatever the limit.
  private static let hopelessLoss: Float = 50
  /// Attack success below which a trigger that is given has no effect.
  private static let tolerance = 0.05

  /// - Throws: `unsupported` without an image tower; `format` when weights are not finite; `io` when
  ///   no state can be kept.
  init(_ input: SanitizeInput, _ options: SanitizeOptions) throws(CLIPError) {
    try input.model.requireImageTower(for: "unlearn")
    self.input = input
    allOptions = options
    model = input.model
    logitScale = min(100, expf(model.logitScale.value.f32[0]))
    let side = try FeatureEncoder(model).imageSize()
    for trigger in options.unlearn.triggers { try trigger.checkFit(imageSize: side) }
    if let features = options.unlearn.classFeatures {
      try ClassFeatures.validate(
        features, names: options.unlearn.classes, templates: options.unlearn.templates,
        embedDim: model.configuration.embedDim)
    }
    let needsTexts =
      options.unlearn.text
      || !options.unlearn.classes.isEmpty && options.unlearn.classFeatures == nil
    guard input.tokenizer != nil && model.configuration.text != nil || !needsTexts else {
      throw CLIPError(
        .unsupported,
        "unlearn: class names and words in captions need a text tower and its tokenizer; expected both, got "
          + (model.configuration.text == nil
            ? "an image tower alone" : "no tokenizer; name the file of its vocabulary"))
    }
    let size = input.communicator.size
    guard options.training.batchSize % size == 0 else {
      throw CLIPError(
        .invalidArgument,
        "options: batch_size cannot be divided among the ranks; expected a multiple of \(size), got "
          + "\(options.training.batchSize)")
    }
    if let directory = options.training.stateDirectory, input.communicator.rank == 0 {
      try SavedStateKind.checkFolder(directory)
      if options.training.resume {
        try UnlearnState.checkOptions(options.method.options.texts(options), in: directory)
      }
    }
  }

  func run(
    _ history: inout SanitizeHistory, progress: (TrainingProgress) -> Bool
  ) throws(CLIPError) {
    try withoutActuallyEscaping(progress) { (progress) throws(CLIPError) in
      let reporter = UnlearnProgress(options, batchSize: training.batchSize, report: progress)
      defer { history.steps = reporter.steps }
      try run(&history, reporter)
    }
  }

  private func run(
    _ history: inout SanitizeHistory, _ progress: UnlearnProgress
  ) throws(CLIPError) {
    var setting = try UnlearnSetting(
      model: model, tokenizer: input.tokenizer, dataset: input.dataset, suspects: input.suspects,
      options: options, training: training, communicator: input.communicator, log: input.log,
      progress: progress)
    tellOfLimit(heldOut: setting.verification.images.shape[0])
    var state = UnlearnState(
      setting, model: model, options: allOptions.method.options.texts(allOptions))
    try state.agree()
    let found = try searched(&setting, progress)
    state.vocabulary = setting.vocabulary
    // From here on there is something to tell; a run that is cancelled before has no outcome.
    var outcome = UnlearnOutcome(
      imageCount: setting.images.trainingCount, vocabulary: setting.vocabulary)
    defer {
      history.outcome = outcome.json
      history.verdict = outcome.verdict
      history.notes = outcome.notes
      history.conclusion = outcome.conclusion
    }
    outcome.searches = found
    outcome.suspects = TargetSearch.suspects(among: found)
    if let shown = setting.suspects {
      outcome.add(shown, TargetSearch.compared(found, with: found, without: [shown.target]))
    }
    if outcome.suspects.isEmpty, options.triggers.isEmpty {
      outcome.precautions = TargetSearch.likeliest(among: found)
    }
    input.log(LogMessage(.info, outcome.summary))
    try unlearnImages(setting, state, &outcome, progress)
    if options.text, let tokenizer = input.tokenizer {
      outcome.add(
        try TextUnlearning(
          model: model, tokenizer: tokenizer, vocabulary: setting.vocabulary, options: options,
          training: training
        ).run(progress))
    }
    history.examples = try setting.verification.examples(of: outcome.evidence)
  }

  /// Says when the limit on accuracy is less than can be measured.
  private func tellOfLimit(heldOut: Int) {
    let ofOne = 100 / Float(max(1, heldOut))
    guard let limit = options.maxAccuracyLoss, limit < ofOne else { return }
    input.log(
      LogMessage(
        .warning,
        "options: max_accuracy_loss of \(limit) points is less than one of the \(heldOut) held-out images "
          + "(\(decimal(Double(ofOne), 1)) points); a single one that is classified otherwise ends the run"
      ))
  }

  /// The searches on the model as it was: towards the candidates and, where no target is known, those
  /// without one.
  private func searched(
    _ setting: inout UnlearnSetting, _ progress: UnlearnProgress
  ) throws(CLIPError) -> [TargetSearch.Found] {
    let found = try setting.search.run(
      setting.teacher, toward: setting.eligible, phase: "searching for targets",
      savedIn: training.stateDirectory, progress: progress)
    guard
      TargetSearch.suspects(among: found).isEmpty, setting.suspects == nil, options.triggers.isEmpty
    else { return found }
    let anywhere = try setting.search.anywhere(
      setting.teacher, of: setting.texts, savedIn: training.stateDirectory, progress: progress)
    try setting.add(anywhere)
    return found + (try setting.located(anywhere, on: setting.teacher))
  }

  /// Unlearns triggers of the image tower, as far as there are any.
  private func unlearnImages(
    _ setting: UnlearnSetting, _ state: UnlearnState, _ outcome: inout UnlearnOutcome,
    _ progress: UnlearnProgress
  ) throws(CLIPError) {
    guard let unlearner = try begun(setting, state, &outcome, progress) else {
      outcome.precautions = []
      outcome.finish(
        .nothingFound,
        agreement: try setting.verification.agreement(of: setting.verification.meanings))
      return
    }
    try unlearn(unlearner, setting, state, &outcome, progress)
    if options.persistenceSteps > 0, !outcome.isLimited, !outcome.isPrecaution,
      outcome.persistence == nil
    {
      outcome.persistence = try UnlearnPersistence(
        model: try model.imageTowerCopy(), setting: setting
      ).measured(outcome.signs, progress: progress)
      try state.save(unlearner, round: outcome.rounds, outcome, progress)
    }
    outcome.conclude()
  }

  /// Recovers triggers on the model as it was, or takes up a saved state.
  ///
  /// - Returns: `nil` when there is nothing to unlearn.
  private func begun(
    _ setting: UnlearnSetting, _ state: UnlearnState, _ outcome: inout UnlearnOutcome,
    _ progress: UnlearnProgress
  ) throws(CLIPError) -> Unlearner? {
    let saved = try state.load(resume: training.resume)
    let pool: TriggerPool
    if let saved {
      pool = saved.pool
      outcome.evidence = saved.evidence
      outcome.rounds = saved.round - 1
      outcome.persistence = saved.persistence
      progress.resume(saved.steps)
    } else {
      state.removeSearchesOfRounds()
      var kept = try measured(
        try setting.givenTriggers(), on: setting.teacher, round: 1, isSign: true,
        atLeast: Self.tolerance, setting, &outcome)
      kept += try recovered(
        outcome.suspects + outcome.precautions, on: setting.teacher, round: 1, setting, &outcome,
        progress)
      guard !kept.isEmpty || setting.suspects != nil else { return nil }
      pool = try TriggerPool(kept)
    }
    let unlearner = try Unlearner(
      student: model, setting: setting, pool: pool, isPrecaution: outcome.isPrecaution,
      renewal: { [model] (old, random) throws(CLIPError) in
        try setting.recovery.renew(old, on: model, using: &random)
      })
    try unlearner.checkAgreement()
    if let saved {
      try unlearner.resume(saved)
    } else {
      try state.save(unlearner, round: 1, outcome, progress)
    }
    return unlearner
  }

  /// Trains, looks again, and recovers what is left, until nothing is or the rounds are over.
  private func unlearn(
    _ unlearner: Unlearner, _ setting: UnlearnSetting, _ state: UnlearnState,
    _ outcome: inout UnlearnOutcome, _ progress: UnlearnProgress
  ) throws(CLIPError) {
    let targets = Set(outcome.evidence.map(\.entry.target) + outcome.shownTargets)
    for round in outcome.rounds + 1...options.rounds {
      // A run that is resumed within a round knows where that began.
      if unlearner.step == options.firstStep(ofRound: round) { unlearner.beginRound() }
      try train(unlearner, round: round, state, outcome, progress)
      outcome.rounds = round
      try measure(&outcome, setting)
      input.log(LogMessage(.info, "round \(round): " + outcome.progress))
      if 100 * outcome.agreement.loss > Double(options.maxAccuracyLoss ?? Self.hopelessLoss)
        || outcome.isPrecautionTooDear
      {
        let cost = outcome.agreement
        outcome.takenBack = cost
        unlearner.takeBackRound()
        try measure(&outcome, setting)
        input.log(
          LogMessage(
            .warning, "round \(round) cost too much and is taken back: after it, \(cost.text)"))
        return
      }
      // What clean models have too is there after any number of rounds.
      if outcome.isPrecaution { return }
      let place = state.searches(ofRound: round)
      var again = try setting.search.run(
        model, toward: targets.sorted(), phase: "looking again", savedIn: place, progress: progress)
      if outcome.searches.contains(where: { $0.reference != nil }) {
        again += try setting.located(
          try setting.search.anywhere(
            model, of: setting.texts, savedIn: place, progress: progress), on: model)
      }
      outcome.fresh = TargetSearch.compared(again, with: outcome.searches, without: targets)
      guard round < options.rounds, targets.contains(where: outcome.isLeft) else { return }
      // What is left without a class that stands out needs more of the same, not other triggers.
      try unlearner.pool.add(
        try recovered(
          outcome.fresh.filter { $0.pValue < TargetSearch.level }, on: model, round: round + 1,
          setting, &outcome, progress))
      try state.save(unlearner, round: round + 1, outcome, progress)
    }
  }

  /// Measures triggers, suspects and agreement on the model as it is.
  private func measure(
    _ outcome: inout UnlearnOutcome, _ setting: UnlearnSetting
  ) throws(CLIPError) {
    try setting.verification.measure(&outcome, on: model)
    guard let suspects = setting.suspects else { return }
    let read = try setting.vocabulary.nearest(
      to: try model.unitFeatures(ofPixels: suspects.images, precision: training.precision))
    outcome.shown?.after = Proportion(read.count { $0 == suspects.target }, of: read.count)
  }

  /// Recovers triggers towards classes on a model; those that work there.
  private func recovered(
    _ suspects: [TargetSearch.Suspect], on model: CLIPModel, round: Int, _ setting: UnlearnSetting,
    _ outcome: inout UnlearnOutcome, _ progress: UnlearnProgress
  ) throws(CLIPError) -> [TriggerPool.Entry] {
    var kept: [TriggerPool.Entry] = []
    for suspect in suspects {
      progress.begin(
        "recovering triggers towards '\(setting.vocabulary.names[suspect.target])'".printable(),
        of: setting.recovery.plannedSteps(suspect))
      for (kind, entries) in try setting.recovery.recover(
        suspect, on: model, round: round, progress: { progress.advance() })
      {
        kept += try measured(
          entries, on: model, round: round, isSign: !outcome.isPrecaution && suspect.isSign(kind),
          atLeast: UnlearnRecovery.fewestSuccesses, setting, &outcome)
      }
    }
    return kept
  }

  /// Measures triggers and keeps those that work, with their evidence.
  private func measured(
    _ entries: [TriggerPool.Entry], on model: CLIPModel, round: Int, isSign: Bool,
    atLeast success: Double, _ setting: UnlearnSetting, _ outcome: inout UnlearnOutcome
  ) throws(CLIPError) -> [TriggerPool.Entry] {
    var kept: [TriggerPool.Entry] = []
    for entry in entries {
      let evidence = try setting.verification.evidence(
        entry, foundOn: model, round: round, isSign: isSign)
      guard evidence.before.value >= success else { continue }
      input.log(LogMessage(.info, evidence.line))
      outcome.evidence.append(evidence)
      kept.append(entry)
    }
    return kept
  }

  private func train(
    _ unlearner: Unlearner, round: Int, _ state: UnlearnState, _ outcome: UnlearnOutcome,
    _ progress: UnlearnProgress
  ) throws(CLIPError) {
    let live = round == 1 ? options.steps : options.laterSteps
    let schedule = LearningRateSchedule(
      base: options.learningRate(for: model.configuration) * (round == 1 ? 1 : options.laterRate),
      warmup: options.warmup,
      total: live + options.settlingSteps)
    let first = options.firstStep(ofRound: round)
    progress.begin(
      "unlearning, round \(round)", of: schedule.total, done: unlearner.step - first)
    for step in unlearner.step - first..<schedule.total {
      let rate = schedule.rate(at: step)
      let result = try unlearner.next(learningRate: rate, isLive: step < live)
      let isEnd = step + 1 == schedule.total
      let isWanted = progress.step(
        round: round, result, rate: rate, logitScale: logitScale,
        plannedBytes: unlearner.plan?.plannedBytes ?? 0)
      let goesOn = try input.communicator.gather(isWanted, for: .cancelling).allSatisfy(\.self)
      if step == 0 || isEnd { try unlearner.checkAgreement() }
      if !goesOn || isEnd || training.saveEvery > 0 && unlearner.step % training.saveEvery == 0 {
        try state.save(unlearner, round: round, outcome, progress)
      }
      guard goesOn else {
        throw CLIPError(.cancelled, "unlearn: cancelled after step \(unlearner.step)")
      }
    }
  }
}
