internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip sanitize`.
struct SanitizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sanitize",
    abstract: "Fine-tune a model on clean pairs so that a backdoor is forgotten.",
    discussion: """
      \(SanitizeMethod.all.map { "\($0.name): \($0.summary)." }.joined(separator: "\n"))

      An ONNX model is written back into its own graph: names, inputs and outputs stay. Ctrl-C \
      ends after the step and saves the state when --state-directory is given (exit code 130).
      """)

  @OptionGroup var model: ModelArguments
  @OptionGroup var pairs: PairArguments

  @Option(name: .shortAndLong, help: "Where the clean model goes: .onnx or .safetensors.")
  var output: String

  @Option(name: .long, help: "How: one of the methods above.")
  var method = SanitizeMethod.standard

  @Option(name: .long, help: "Highest learning rate of AdamW.")
  var learningRate = SanitizeOptions().training.learningRate

  @Option(name: .long, help: "Steps of linear warm-up.")
  var warmupSteps = SanitizeOptions().training.warmupSteps

  @Option(name: .long, help: "Weight of the self-supervised loss (lambda 2).")
  var inmodalWeight = SanitizeOptions().inmodalWeight

  @OptionGroup var training: TrainingArguments

  @Option(name: .long, help: "supervised: a safetensors file for the head; none by default.")
  var headPath: String?

  @Option(
    name: .long,
    help: "supervised: classes of the head; none by default: one more than the highest label.")
  var classCount: Int?

  @OptionGroup var common: CommonOptions

  func run() throws {
    common.apply()
    try cleanclip_tool.run { () throws(CLIPError) in
      try Outputs.check(training.history, headPath, folder: training.stateDirectory)
      let loaded = try model.load()
      try Outputs.asOutput { () throws(CLIPError) in try loaded.checkSaving(to: output) }
      var options = training.options(
        SanitizeOptions(method), learningRate: learningRate, warmupSteps: warmupSteps,
        inmodalWeight: inmodalWeight)
      options.headPath = headPath
      options.classCount = classCount
      let tokenizer = try method.needs.tokenizer { () throws(CLIPError) in
        try model.tokenizer()
      }
      let history = try training.train(
        "sanitize", loaded.model, tokenizer: tokenizer, dataset: try pairs.open(),
        options: options, common: common
      ) { () throws(CLIPError) in try loaded.save(to: output) }
      try printResult(
        common.json
          ? JSONValue.object(history.summary(output: output)).serialized(pretty: true)
          : (history.lines + ["wrote \(output)"]).joined(separator: "\n"))
    }
  }
}

extension SanitizeMethod: ExpressibleByArgument {
  public init?(argument: String) {
    guard let method = Self.all.first(where: { $0.name == argument }) else { return nil }
    self = method
  }

  public static var allValueStrings: [String] { all.map(\.name) }
  public var defaultValueDescription: String { name }
}
