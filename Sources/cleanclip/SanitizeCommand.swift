internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip sanitize`.
struct SanitizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sanitize",
    abstract: "Fine-tune a model on clean pairs so that a backdoor is forgotten.",
    discussion: """
      cleanclip: the contrastive loss between images and captions plus a self-supervised loss \
      inside each modality (Bansal et al. 2023); with --inmodal-weight 0, plain fine-tuning.
      supervised: cross-entropy of a linear head on labelled images, image tower only; the paper \
      takes --batch-size 80 --learning-rate 1e-4 --warmup 500 --weight-decay 0.01.

      An ONNX model is written back into its own graph: names, inputs and outputs stay. Ctrl-C \
      ends after the step and saves the state when --state is given (exit code 130).
      """)

  @OptionGroup var model: ModelArguments
  @OptionGroup var pairs: PairArguments

  @Option(name: .shortAndLong, help: "Where the clean model goes: .onnx or .safetensors.")
  var output: String

  @Option(name: .long, help: "cleanclip or supervised.")
  var method = MethodArgument.cleanclip

  @Option(name: .long, help: "Highest learning rate of AdamW.")
  var learningRate: Float = 1e-5

  @Option(name: .long, help: "Steps of linear warm-up.")
  var warmup = 50

  @Option(name: .long, help: "Weight of the self-supervised loss (lambda 2).")
  var inmodalWeight: Float = 1

  @OptionGroup var training: TrainingArguments

  @Option(name: .long, help: "supervised: a safetensors file for the head.")
  var head: String?

  @Option(name: .long, help: "supervised: a file with a class name on each line.")
  var classes: String?

  @OptionGroup var common: CommonOptions

  func run() throws {
    common.apply()
    try cleanclip_tool.run { () throws(CLIPError) in
      try Outputs.check(training.history, head, folder: training.state)
      let loaded = try model.load()
      try Outputs.asOutput { () throws(CLIPError) in try loaded.checkSaving(to: output) }
      var options = training.options(
        learningRate: learningRate, warmup: warmup, inmodalWeight: inmodalWeight)
      options.method = method.method
      options.headPath = head
      if let classes { options.classCount = try TextList.classes(path: classes).count }
      let tokenizer = method == .supervised ? nil : try model.tokenizer()
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

/// `--method`.
enum MethodArgument: String, ExpressibleByArgument, CaseIterable {
  case cleanclip, supervised

  var method: SanitizeMethod { self == .supervised ? .supervised : .cleanclip }
}
