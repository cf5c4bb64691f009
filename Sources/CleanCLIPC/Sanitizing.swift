public import CCleanCLIP
internal import CleanCLIPKit

/// What a `cleanclip_history` points to.
final class HistoryHandle {
  let history: SanitizeHistory

  init(_ history: SanitizeHistory) { self.history = history }
}

@c @implementation
public func cleanclip_sanitize_options_init(
  _ options: UnsafeMutablePointer<cleanclip_sanitize_options>?, _ struct_size: Int
) {
  initialize(options, size: struct_size, with: sanitizeDefaults)
}

@c @implementation
public func cleanclip_progress_init(
  _ progress: UnsafeMutablePointer<cleanclip_progress>?, _ struct_size: Int
) {
  initialize(progress, size: struct_size, with: cleanclip_progress())
}

@c @implementation
public func cleanclip_sanitize(
  _ model: OpaquePointer?, _ tokenizer: OpaquePointer?, _ dataset: OpaquePointer?,
  _ options: UnsafePointer<cleanclip_sanitize_options>?, _ callback: cleanclip_progress_callback?,
  _ user_data: UnsafeMutableRawPointer?, _ out_history: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_history?.pointee = nil
  return guarded("cleanclip_sanitize") { (arguments) throws(CLIPError) in
    let given = try arguments.options(options, defaults: sanitizeDefaults, "options")
    let communicator = try hostCommunicator(given.communicator, arguments)
    // All of it, so that a rank whose arguments are wrong does not leave the others waiting.
    try communicator.together { () throws(CLIPError) in
      let model = try arguments.handle(model, "model", as: ModelHandle.self)
      let tokenizer = borrowed(tokenizer, as: Tokenizer.self)
      let dataset = try arguments.handle(dataset, "dataset", as: PairDataset.self)
      let options = try sanitizeOptions(given, arguments)
      try model.beginTraining(arguments)
      defer { model.endTraining() }
      let sanitizer = try Sanitizer(
        model.model, tokenizer: tokenizer, dataset: dataset, options: options,
        communicator: communicator, log: { HostLog.write($0) })
      defer { out_history?.pointee = retained(HistoryHandle(sanitizer.history)) }
      try sanitizer.run { progress in
        callback.map { report(progress, to: $0, user_data) } ?? true
      }
      try sanitizer.finish()
    }
  }
}

private var sanitizeDefaults: cleanclip_sanitize_options {
  let defaults = SanitizeOptions()
  var options = cleanclip_sanitize_options()
  options.epochs = Int64(defaults.training.epochs)
  options.batch_size = Int64(defaults.training.batchSize)
  options.warmup_steps = Int64(defaults.training.warmupSteps)
  options.save_every = Int64(defaults.training.saveEvery)
  options.seed = defaults.training.seed
  options.learning_rate = defaults.training.learningRate
  options.weight_decay = defaults.training.adam.weightDecay
  options.clip_weight = defaults.cleanclip.clipWeight
  options.inmodal_weight = defaults.cleanclip.inmodalWeight
  options.perturb_threshold = defaults.par.perturbThreshold
  options.attack_epsilon = defaults.simclip.attackEpsilon
  options.attack_step_size = defaults.simclip.attackStepSize
  options.attack_steps = Int64(defaults.simclip.attackSteps)
  options.match_every = Int64(defaults.roclip.matchEvery)
  options.pool_fraction = defaults.roclip.poolFraction
  options.safe_probability = defaults.safeclip.safeProbability
  options.inmodal_epochs = Int64(defaults.safeclip.inmodalEpochs)
  options.precision = Int32(CLEANCLIP_PRECISION_AUTO.rawValue)
  options.sync_batch_norm = defaults.training.syncsBatchNorm ? 1 : 0
  options.persistence_steps = Int64(defaults.unlearn.persistenceSteps)
  options.check_data = defaults.cleaningSet.checksData ? 1 : 0
  return options
}

private func sanitizeOptions(
  _ given: cleanclip_sanitize_options, _ arguments: Arguments
) throws(CLIPError) -> SanitizeOptions {
  var options = SanitizeOptions()
  if let name = try arguments.optionalString(given.method, "options->method") {
    options = SanitizeOptions(try SanitizeMethod.named(name))
  }
  options.training.epochs = Int(given.epochs)
  options.training.batchSize = Int(given.batch_size)
  options.training.warmupSteps = Int(given.warmup_steps)
  options.training.saveEvery = Int(given.save_every)
  options.training.memoryBudget = arguments.optional(given.memory_budget)
  options.supervised.headClasses = arguments.optional(given.head_classes)
  options.training.seed = given.seed
  options.training.learningRate = given.learning_rate
  options.training.adam.weightDecay = given.weight_decay
  options.cleanclip.clipWeight = given.clip_weight
  options.cleanclip.inmodalWeight = given.inmodal_weight
  options.par.perturbThreshold = given.perturb_threshold
  options.simclip.attackEpsilon = given.attack_epsilon
  options.simclip.attackStepSize = given.attack_step_size
  options.simclip.attackSteps = Int(given.attack_steps)
  options.roclip.matchEvery = Int(given.match_every)
  options.roclip.poolFraction = given.pool_fraction
  options.safeclip.safeProbability = given.safe_probability
  options.safeclip.inmodalEpochs = Int(given.inmodal_epochs)
  options.training.precision = try arguments.precision(given.precision, "options->precision")
  options.training.stateDirectory = try arguments.optionalString(
    given.state_directory, "options->state_directory")
  options.training.resume = try arguments.flag(given.resume, "options->resume")
  options.training.syncsBatchNorm = try arguments.flag(
    given.sync_batch_norm, "options->sync_batch_norm")
  options.unlearn.persistenceSteps = Int(given.persistence_steps)
  options.unlearn.text = try arguments.flag(given.text, "options->text")
  options.cleaningSet.checksData = try arguments.flag(given.check_data, "options->check_data")
  options.cleaningSet.suspects = try arguments.optionalString(given.suspects, "options->suspects")
  options.unlearn.maxAccuracyLoss =
    given.max_accuracy_loss == 0 ? nil : given.max_accuracy_loss
  options.supervised.headPath = try arguments.optionalString(
    given.head_path, "options->head_path")
  options.unlearn.classes = try arguments.optionalStrings(
    given.classes, count: given.class_count, "options->classes")
  options.unlearn.templates = try arguments.templates(
    given.templates, count: given.template_count, "options->templates")
  options.unlearn.classFeatures = try classFeatures(
    given.class_features, count: given.class_count, embedDim: given.class_embed_dim, arguments)
  options.unlearn.triggers = try arguments.handles(
    given.triggers, "options->triggers", count: given.trigger_count, "options->trigger_count",
    as: TriggerHandle.self
  ).map(\.trigger)
  return options
}

/// Calls the host; `false` cancels.
private func report(
  _ progress: TrainingProgress, to callback: cleanclip_progress_callback,
  _ userData: UnsafeMutableRawPointer?
) -> Bool {
  var copy = cleanclip_progress(progress)
  guard let phase = progress.phase else { return callback(&copy, userData) == 0 }
  copy.phase_done = Int64(phase.done)
  copy.phase_total = Int64(phase.total)
  return phase.name.withCString { name in
    copy.phase = name
    return callback(&copy, userData) == 0
  }
}

extension cleanclip_progress {
  fileprivate init(_ progress: TrainingProgress) {
    self.init()
    struct_size = MemoryLayout<cleanclip_progress>.size
    epoch = Int64(progress.epoch)
    epochs = Int64(progress.epochs)
    step = Int64(progress.step)
    steps = Int64(progress.steps)
    loss = progress.losses.loss
    crossmodal_loss = progress.losses.crossmodalLoss
    inmodal_loss = progress.losses.inmodalLoss
    learning_rate = Double(progress.learningRate)
    logit_scale = Double(progress.logitScale)
    samples_per_second = progress.samplesPerSecond
    waiting_fraction = progress.waitingFraction
  }
}

@c @implementation
public func cleanclip_history_free(_ history: OpaquePointer?) {
  release(history, as: HistoryHandle.self)
}

@c @implementation
public func cleanclip_history_count(_ history: OpaquePointer?) -> Int64 {
  borrowed(history, as: HistoryHandle.self).map { Int64($0.history.steps.count) } ?? 0
}

@c @implementation
public func cleanclip_history_step(
  _ history: OpaquePointer?, _ index: Int64,
  _ out_progress: UnsafeMutablePointer<cleanclip_progress>?
) -> cleanclip_status {
  guarded("cleanclip_history_step") { (arguments) throws(CLIPError) in
    let steps = try arguments.handle(history, "history", as: HistoryHandle.self).history.steps
    let step = steps[try arguments.index(index, count: steps.count, "index")]
    try arguments.write(cleanclip_progress(step), to: out_progress, "out_progress")
  }
}

@c @implementation
public func cleanclip_history_json(
  _ history: OpaquePointer?, _ out_text: UnsafeMutablePointer<CChar>?, _ out_capacity: Int,
  _ out_length: UnsafeMutablePointer<Int>?
) -> cleanclip_status {
  guarded("cleanclip_history_json") { (arguments) throws(CLIPError) in
    let history = try arguments.handle(history, "history", as: HistoryHandle.self).history
    try arguments.write(
      history.json.serialized(), to: out_text, capacity: out_capacity, length: out_length)
  }
}
