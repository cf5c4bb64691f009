internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip sanitize`.
struct SanitizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sanitize",
    abstract: "Remove a backdoor from a model.",
    discussion: """
      \(SanitizeMethod.all.map(\.help).joined(separator: "\n"))

      unlearn and simclip take --images (or --data; captions are not read). unlearn ends with a verdict: \
      removed or nothing_found (exit code 0), weakened (4), not_removed (3).

      An ONNX model is written back into its own graph: names, inputs and outputs stay. Ctrl-C \
      ends after the step (exit code 130); with --state-directory the message says what it left to resume from.

      mpirun -n N cleanclip sanitize ... divides the work among N processes, with the result of one \
      but for rounding; --batch-size is that of all.
      """)

  @OptionGroup var model: ModelArguments
  @OptionGroup var pairs: PairArguments

  @Option(name: .shortAndLong, help: "Where the clean model goes: .onnx or .safetensors.")
  var output: String

  @Option(name: .long, help: "How: one of the methods above.")
  var method = SanitizeMethod.standard

  @Option(name: .long, help: "Highest learning rate of AdamW, more than 0, at most 10.")
  var learningRate = SanitizeOptions().training.learningRate

  @Option(name: .long, help: "Steps of linear warm-up, 0 to 1000000000000.")
  var warmupSteps = SanitizeOptions().training.warmupSteps

  @Option(name: .long, help: "Weight of the self-supervised loss (lambda 2), a number from 0.")
  var inmodalWeight = SanitizeOptions().cleanclip.inmodalWeight

  @OptionGroup var training: TrainingArguments

  @Option(
    name: .long,
    help: """
      par: mean squared distance of L2-normalized features from the initial ones up to which they \
      are pushed, more than 0, at most 4.
      """)
  var perturbThreshold = SanitizeOptions().par.perturbThreshold

  @OptionGroup var attack: AttackArguments
  @OptionGroup var robust: RobustArguments

  @Option(name: .long, help: "supervised: a safetensors file for the head; none by default.")
  var headPath: String?

  @Option(
    name: .long,
    help: """
      supervised: classes of the head, 2 to 1048576; none by default: one more than the highest label.
      """)
  var headClasses: Int?

  @Option(
    name: .long,
    help: """
      unlearn: percentage points of held-out images that may be classified otherwise than before; \
      ends the run when it is more; more than 0, at most 100, none by default.
      """)
  var maxAccuracyLoss: Float?

  @Option(
    name: .long,
    help: """
      unlearn: steps of benign training of a copy, after which triggers are measured again, 0 to \
      1000000; 0 for none.
      """)
  var persistenceSteps = SanitizeOptions().unlearn.persistenceSteps

  @Flag(
    name: .long,
    help: """
      unlearn: look for words that make captions of anything mean the same too, and unlearn them in the \
      text tower.
      """)
  var text = false

  @OptionGroup var texts: ClassArguments

  @OptionGroup var features: ClassFeatureOption

  @Option(
    name: .long, parsing: .upToNextOption,
    help: """
      unlearn: triggers that are known: files that check model --triggers saved, folders of them, \
      images that are pasted, or names (\(NamedTrigger.list)).
      """)
  var triggers: [String] = []

  @Option(
    name: .long,
    help: """
      Rows that are taken for poisoned, as check data --suspects writes them: left out, and by unlearn \
      unlearned; none by default.
      """)
  var suspects: String?

  @Flag(
    inversion: .prefixedNo,
    help: """
      methods that need captions: check 500 pairs or more with the model first, and leave out what looks poisoned \
      or lies far apart.
      """)
  var checkData = SanitizeOptions().cleaningSet.checksData

  @Option(name: .long, help: "A page on the run, .html, or .json.")
  var report: String?

  @OptionGroup var ranks: RankOptions
  @OptionGroup var common: CommonOptions

  func validate() throws { try features.validate(besides: texts) }

  func run() throws {
    try common.apply(runsOverRanks: true)
    var verdict: SanitizeVerdict?
    try Ranks.run(ranks) { communicator in verdict = try run(communicator) }
    if let verdict, verdict.exitCode != 0 { throw ExitCode(verdict.exitCode) }
  }

  /// Runs on one of the ranks, of which the first writes.
  private func run(_ communicator: Communicator) throws -> SanitizeVerdict? {
    if let report {
      try Outputs.asOutput { () throws(CLIPError) in try RunReport.checkKind(of: report, "--report")
      }
    }
    try Outputs.requireDistinct(
      [output, training.history, headPath, report], besides: training.stateDirectory)
    if communicator.rank == 0 {
      try Outputs.check(training.history, headPath, report, folder: training.stateDirectory)
      try Outputs.keep(
        model.files + pairs.files + triggers + texts.files + features.files
          + [suspects].compactMap(\.self),
        from: output, training.history, headPath, report)
    }
    let loaded = try model.load()
    if communicator.rank == 0 {
      try Outputs.asOutput { () throws(CLIPError) in try loaded.checkSaving(to: output) }
    }
    var options = training.options(
      SanitizeOptions(method), learningRate: learningRate, warmupSteps: warmupSteps,
      inmodalWeight: inmodalWeight)
    options.par.perturbThreshold = perturbThreshold
    options.simclip = attack.options
    robust.apply(to: &options)
    options.supervised.headPath = headPath
    options.supervised.headClasses = headClasses
    options.unlearn.maxAccuracyLoss = maxAccuracyLoss
    options.unlearn.persistenceSteps = persistenceSteps
    options.unlearn.text = text
    options.cleaningSet.suspects = suspects
    options.cleaningSet.checksData = checkData
    if let (classes, templates) = try texts.load() {
      options.unlearn.classes = classes
      options.unlearn.templates = templates
    }
    options.unlearn.classFeatures = try features.load()
    options.unlearn.triggers = try Trigger.load(all: triggers)
    let history = try training.train(
      "sanitize", loaded.model, tokenizer: try tokenizer(),
      dataset: try pairs.open(writing: [output, report, training.history, headPath]),
      options: options, common: common, communicator,
      save: { () throws(CLIPError) in try loaded.saveOrRescue(to: output) },
      after: { (history) throws(CLIPError) in try writeReport(on: loaded, history) })
    if communicator.rank == 0 { try history.printSummary(output: output, asJSON: common.json) }
    return history.verdict
  }

  /// The tokenizer, as far as the method reads texts.
  private func tokenizer() throws(CLIPError) -> Tokenizer? {
    switch method.needs.captions {
    case .unused: nil
    case .optional: try model.tokenizerIfThere()
    case .required: try model.tokenizer()
    }
  }

  private func writeReport(
    on loaded: LoadedModel, _ history: SanitizeHistory
  ) throws(CLIPError) {
    guard let report else { return }
    var contents = ReportContents()
    contents.title = "Sanitizing report"
    contents.subtitle = model.model
    contents.version = libraryVersion
    contents.history = history
    contents.model = try loaded.description()
    try contents.report().write(to: report)
  }
}

extension SanitizeMethod: ExpressibleByArgument {
  /// Options of the library that the command does not have.
  private static let libraryOnly: Set<String> = [
    "beta1", "beta2", "epsilon", "sync_batch_norm", "chunk_size",
  ]

  /// What the help of the command says of the method.
  fileprivate var help: String {
    let defaults = SanitizeOptions()
    let flags = Self.all.flatMap(\.options).filter { $0.value(defaults) == .bool(true) }
    let refused = refusedOptions.filter { !Self.libraryOnly.contains($0) }.map { name in
      // What is on already is refused when it is turned off.
      (flags.contains { $0.name == name } ? "--no-" : "--")
        + name.split(separator: "_").joined(separator: "-")
    }
    return "\(name): \(summary)."
      + (needs.images > 1 ? " Needs at least \(needs.images) images." : "")
      + " Refuses \(refused.joined(separator: ", "))."
  }

  public init?(argument: String) {
    guard let method = Self.all.first(where: { $0.name == argument }) else { return nil }
    self = method
  }

  public static var allValueStrings: [String] { all.map(\.name) }
  public var defaultValueDescription: String { name }
}
