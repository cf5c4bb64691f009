internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// Options of everything that trains.
struct TrainingArguments: ParsableArguments {
  @Option(name: .long, help: "Epochs of the whole run, 1 to 1000000.")
  var epochs = SanitizeOptions().training.epochs

  @Option(name: .long, help: "Pairs per step, 1 to 1048576.")
  var batchSize = SanitizeOptions().training.batchSize

  @Option(name: .long, help: "Weight decay of AdamW, a number from 0.")
  var weightDecay = SanitizeOptions().training.adam.weightDecay

  @Option(
    name: .long,
    help: """
      Weight of the loss between images and captions (lambda 1), a number from 0.
      """)
  var clipWeight = SanitizeOptions().cleanclip.clipWeight

  @Option(name: .long, help: "Seed of order, augmentation and what is initialised at random.")
  var seed = SanitizeOptions().training.seed

  @Option(name: .long, help: "Element type of activations: f32, bf16 or auto.")
  var precision = PrecisionArgument.auto

  @Option(
    name: .long,
    help: """
      Memory for tensors, 1 to 1000000000000000 bytes, such as 8G; none by default: no limit.
      """)
  var memoryBudget: ByteCount?

  @Option(name: .long, help: "A folder for the state to resume from; none by default.")
  var stateDirectory: String?

  @Option(
    name: .long,
    help: """
      Steps between saved states, 0 to 1000000000000; 0 saves at the end of epochs only.
      """)
  var saveEvery = SanitizeOptions().training.saveEvery

  @Flag(
    name: .long,
    help: """
      Resume from the state in --state-directory, if there is one: of the same model, data and options; \
      --save-every, --threads and outputs may be others.
      """)
  var resume = false

  @Option(name: .long, help: "A JSON file for the losses of all steps.")
  var history: String?

  func validate() throws {
    guard stateDirectory == nil else { return }
    try GivenOptions.refuse(["--save-every"], "without --state-directory")
  }

  /// The options as the engine takes them.
  ///
  /// - Parameter defaults: of the method.
  func options(
    _ defaults: SanitizeOptions, learningRate: Float, warmupSteps: Int, inmodalWeight: Float
  ) -> SanitizeOptions {
    var options = defaults
    options.training.epochs = epochs
    options.training.batchSize = batchSize
    options.training.learningRate = learningRate
    options.training.warmupSteps = warmupSteps
    options.training.adam.weightDecay = weightDecay
    options.training.seed = seed
    options.training.precision = precision.dtype
    options.training.memoryBudget = memoryBudget?.bytes
    options.training.stateDirectory = stateDirectory
    options.training.saveEvery = saveEvery
    options.training.resume = resume
    options.cleanclip.clipWeight = clipWeight
    options.cleanclip.inmodalWeight = inmodalWeight
    return options
  }

  /// Trains with a progress bar, saves the model and then the history; Ctrl-C cancels after the
  /// step.
  ///
  /// - Parameters:
  ///   - communicator: the ranks that train together, of which the first saves and shows progress.
  ///   - after: writes what else tells of the run.
  func train(
    _ title: String, _ model: CLIPModel, tokenizer: Tokenizer?, dataset: PairDataset,
    options: SanitizeOptions, common: CommonOptions, _ communicator: Communicator,
    save: () throws(CLIPError) -> Void,
    after: (SanitizeHistory) throws(CLIPError) -> Void = { _ in }
  ) throws(CLIPError) -> SanitizeHistory {
    let isFirst = communicator.rank == 0
    return try communicator.together { () throws(CLIPError) in
      let sanitizer = try Sanitizer(
        model, tokenizer: tokenizer, dataset: dataset, options: options,
        communicator: communicator
      ) { message in
        // Every rank knows the same; warnings may be of the rows that it alone reads.
        if isFirst || message.severity == .warning {
          ToolMessage.print(message.text)
        }
      }
      try run(title, sanitizer, common, communicator, after)
      if isFirst {
        var outputs = Outputs()
        outputs.write { () throws(CLIPError) in try save() }
        outputs.write { () throws(CLIPError) in try sanitizer.finish() }
        write(sanitizer.history, after, to: &outputs)
        try outputs.finish()
      }
      return sanitizer.history
    }
  }

  private func run(
    _ title: String, _ sanitizer: Sanitizer, _ common: CommonOptions, _ communicator: Communicator,
    _ after: (SanitizeHistory) throws(CLIPError) -> Void
  ) throws(CLIPError) {
    let isQuiet = common.quiet || communicator.rank != 0
    var line = ProgressLine(title, isQuiet: isQuiet)
    var phase = ""
    Interruption.listen()
    do throws(CLIPError) {
      try sanitizer.run { step in
        if let part = step.phase {
          if part.name != phase {
            // A phase that ends early leaves its bar; each has a time of its own.
            line.interrupt()
            line = ProgressLine("\(title): \(part.name)", isQuiet: isQuiet)
            phase = part.name
          }
          line.update(part.done, of: part.total)
        } else {
          if !phase.isEmpty {
            line.interrupt()
            line = ProgressLine(title, isQuiet: common.quiet)
            phase = ""
          }
          line.update(step.step, of: step.steps, Self.details(step))
        }
        return !Interruption.wasRequested
      }
    } catch {
      line.interrupt()
      // What ended the run comes first; a history that cannot be written does not hide it.
      do throws(CLIPError) {
        var outputs = Outputs()
        if communicator.rank == 0 { write(sanitizer.history, after, to: &outputs) }
        try outputs.finish()
      } catch {
        ToolMessage.print(error.message)
      }
      throw error.hinting(stateDirectory)
    }
  }

  /// Writes what tells of the run.
  private func write(
    _ value: SanitizeHistory, _ after: (SanitizeHistory) throws(CLIPError) -> Void,
    to outputs: inout Outputs
  ) {
    outputs.write(history) { (path) throws(CLIPError) in
      try AtomicFile.write(value.json.serialized(pretty: true) + "\n", to: path)
    }
    outputs.write { () throws(CLIPError) in try after(value) }
  }

  private static func details(_ step: TrainingProgress) -> String {
    var text =
      "epoch \(step.epoch)/\(step.epochs)  loss \(decimal(step.losses.loss, 3))  "
      + "\(decimal(step.samplesPerSecond, 1)) pairs/s"
    if step.waitingFraction > 0.1 { text += "  waiting \(percent(step.waitingFraction))" }
    return text
  }
}

extension SanitizeHistory {
  /// Prints a run in short.
  func printSummary(output: String, asJSON: Bool) throws(CLIPError) {
    try printResult(
      asJSON
        ? JSONValue.object(summary(output: output)).serialized(pretty: true)
        : (lines + ["wrote \(output)"]).joined(separator: "\n"))
  }

  private func summary(output: String) -> JSONObject {
    var object = JSONObject()
    object["output"] = .string(output)
    object["settings"] = .object(settings)
    object["epochs"] = json["epochs"]
    object["bad_rows"] = .integer(badRowCount)
    if cleaningSet.count > 0 { object["cleaning_set"] = .object(cleaningSet) }
    if outcome.count > 0 { object["outcome"] = .object(outcome) }
    if let last = steps.last {
      object["logit_scale"] = .single(last.logitScale)
    }
    if let last = steps.last, last.samplesPerSecond > 0 {
      object["samples_per_second"] = .number(last.samplesPerSecond)
      object["waiting_fraction"] = .number(last.waitingFraction)
    }
    return object
  }

  /// The epochs, or the verdict, for people.
  private var lines: [String] {
    if let verdict { return ["verdict: \(verdict.rawValue)"] + notes }
    return epochs.map { epoch in
      "epoch \(epoch.epoch): loss \(decimal(epoch.losses.loss, 4)) (crossmodal "
        + "\(decimal(epoch.losses.crossmodalLoss, 4)), inmodal "
        + "\(decimal(epoch.losses.inmodalLoss, 4))), \(decimal(epoch.seconds, 1)) s"
    }
  }
}
