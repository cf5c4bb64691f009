/// Sanitizes a model: checks what a method needs, runs it, and keeps its history.
///
/// Over ranks, each has a sanitizer with the same model, data and options, and makes and runs it inside
/// `Communicator.together`.
package final class Sanitizer {
  private let prepare: (CleaningSet) throws(CLIPError) -> any SanitizeRun
  /// `nil` until the pairs are checked.
  private var run: (any SanitizeRun)?
  private let check: ((_ progress: (RunPhase) -> Bool) throws(CLIPError) -> CleaningSet)?
  private let messages: MessageList
  private let communicator: Communicator
  private let stateFolder: StateFolder
  /// What happened so far, also when the run is cancelled or fails.
  package private(set) var history = SanitizeHistory()

  /// Checks everything that can be checked before the first step.
  ///
  /// - Parameters:
  ///   - tokenizer: of the model's vocabulary; needed where the method requires captions.
  ///   - log: called with rows that are left out and other things worth knowing, on the thread that
  ///     runs.
  /// - Throws: `invalidArgument` for options or data that do not fit; `unsupported` when a tower is
  ///   missing; `state` or `format` for a state that does not belong to this run.
  package init(
    _ model: CLIPModel, tokenizer: Tokenizer?, dataset: PairDataset, options: SanitizeOptions,
    communicator: Communicator = .single,
    log: @escaping @Sendable (LogMessage) -> Void = { _ in }
  ) throws(CLIPError) {
    try options.validate()
    let method = options.method
    if method.needs.captions == .required, tokenizer == nil {
      throw CLIPError(
        .invalidArgument,
        "\(method.name): captions need a tokenizer; expected the model's, got none")
    }
    if method.needs.captions != .unused, let tokenizer, model.configuration.text != nil {
      try FeatureEncoder(model).check(tokenizer)
    }
    // One state for all ranks.
    stateFolder = StateFolder(
      communicator.rank == 0 ? options.training.stateDirectory : nil, of: method.stateOwner,
      resume: options.training.resume)
    try stateFolder.checkOwner()
    let messages = MessageList(log)
    if let replaced = stateFolder.replaced { messages.add(LogMessage(.warning, replaced)) }
    func prepare(
      _ set: CleaningSet, _ options: SanitizeOptions,
      _ log: @escaping @Sendable (LogMessage) -> Void
    ) throws(CLIPError) -> any SanitizeRun {
      try method.prepare(
        SanitizeInput(
          model: model, tokenizer: tokenizer, dataset: set.clean, suspects: set.suspects, log: log,
          communicator: communicator),
        options)
    }
    self.prepare = { (set) throws(CLIPError) in try prepare(set, options) { messages.add($0) } }
    self.messages = messages
    self.communicator = communicator
    if CleaningSet.isChecked(dataset, options) {
      // What is wrong with options and data is known before the check.
      var stateless = options
      stateless.training.stateDirectory = nil
      stateless.training.resume = false
      _ = try prepare(CleaningSet(dataset), stateless) { _ in }
      check = { (progress) throws(CLIPError) in
        try CleaningSet.checked(
          dataset, with: model, options.training, over: communicator, progress: progress)
      }
    } else {
      check = nil
      try begin(try CleaningSet.unchecked(dataset, options))
    }
    history.settings = ["method": .string(method.name), "pairs": .integer(dataset.count)]
    for (name, value) in method.options.settings(options) { history.settings[name] = value }
    // Too few pairs are not checked, nor are those of which suspects are given.
    if history.settings[OptionRule.checkData.name] != nil {
      history.settings[OptionRule.checkData.name] = .bool(check != nil)
    }
    history.settings["threads"] = .integer(Threads.count)
    if !communicator.isSingle { history.settings["ranks"] = .integer(communicator.size) }
    history.omissions = dataset.omissions
  }

  /// Runs the method to the end.
  ///
  /// - Parameter progress: called after each step on this thread; `false` cancels.
  /// - Throws: `cancelled`; what the method throws.
  package func run(
    progress: (TrainingProgress) -> Bool = { _ in true }
  ) throws(CLIPError) {
    try stateFolder.running { () throws(CLIPError) in
      if run == nil, let check {
        try begin(try check { phase in progress(TrainingProgress(phase)) })
      }
      // A copy, because the callback may look at the history.
      var history = history
      defer {
        history.messages = messages.texts
        self.history = history
      }
      try run?.run(&history, progress: progress)
      history.isComplete = true
    }
  }

  /// Prepares the run with the data that stays.
  private func begin(_ set: CleaningSet) throws(CLIPError) {
    if let message = set.message { messages.add(message) }
    history.cleaningSet = set.json
    run = try prepare(set)
  }

  /// Saves what the method makes besides the model, such as a head, after `run`: the model, which
  /// took the time, can be saved first.
  ///
  /// - Throws: `io`.
  package func finish() throws(CLIPError) {
    // One file for all ranks, which have the same.
    if communicator.rank == 0 { try run?.finish() }
  }
}

/// Collects what is said during a run, and passes it on.
private final class MessageList: Sendable {
  private let log: @Sendable (LogMessage) -> Void
  private let list = Locked<[String]>([])

  init(_ log: @escaping @Sendable (LogMessage) -> Void) { self.log = log }

  var texts: [String] { list.withLock { $0 } }

  func add(_ message: LogMessage) {
    log(message)
    list.withLock { list in
      if list.count < SanitizeHistory.messageLimit { list.append(message.text) }
    }
  }
}
