/// Sanitizes a model: checks what a method needs, runs it, and keeps its history.
///
/// Over ranks, each has a sanitizer with the same model, data and options, and makes and runs it inside
/// `Communicator.together`.
package final class Sanitizer {
  private let run: any SanitizeRun
  private let messages: MessageList
  private let communicator: Communicator
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
    guard communicator.isSingle || method.runsOverRanks else {
      throw CLIPError(
        .unsupported,
        "\(method.name): does not run over ranks; expected a communicator of size 1, or method "
          + SanitizeMethod.all.filter(\.runsOverRanks).map(\.name).joined(separator: " or ")
          + ", got size \(communicator.size)")
    }
    if method.needs.captions == .required, tokenizer == nil {
      throw CLIPError(
        .invalidArgument,
        "\(method.name): captions need a tokenizer; expected the model's, got none")
    }
    if method.needs.captions != .unused, let tokenizer, model.configuration.text != nil {
      try FeatureEncoder(model).check(tokenizer)
    }
    let messages = MessageList(log)
    run = try method.prepare(
      SanitizeInput(
        model: model, tokenizer: tokenizer, dataset: dataset, log: { messages.add($0) },
        communicator: communicator),
      options)
    self.messages = messages
    self.communicator = communicator
    history.settings = ["method": .string(method.name), "pairs": .integer(dataset.count)]
    for (name, value) in method.options.settings(options) { history.settings[name] = value }
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
    // A copy, because the callback may look at the history.
    var history = history
    defer {
      history.messages = messages.texts
      self.history = history
    }
    try run.run(&history, progress: progress)
    history.isComplete = true
  }

  /// Saves what the method makes besides the model, such as a head, after `run`: the model, which
  /// took the time, can be saved first.
  ///
  /// - Throws: `io`.
  package func finish() throws(CLIPError) {
    // One file for all ranks, which have the same.
    if communicator.rank == 0 { try run.finish() }
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
