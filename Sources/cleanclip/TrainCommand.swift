internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip train`.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a CLIP model from scratch.",
    discussion: """
      \(TrainingMethod.all.map { "\($0.name): \($0.summary)." }.joined(separator: "\n"))

      The architecture is a name (\(CLIPConfiguration.architectureNames.joined(separator: ", ")), \
      each also with -quickgelu) or a JSON file in OpenCLIP's form: embed_dim, vision_cfg, text_cfg, \
      quick_gelu.
      """)

  @Option(name: .long, help: "A name, or a JSON file.")
  var architecture: String

  @OptionGroup var words: TokenizerOptions
  @OptionGroup var pairs: PairArguments

  @Option(name: .shortAndLong, help: "Where the model goes: .onnx or .safetensors.")
  var output: String

  @Option(name: .long, help: "How: one of the methods above.")
  var method = TrainingMethod(.standard)

  @Option(name: .long, help: "Highest learning rate of AdamW, more than 0, at most 10.")
  var learningRate: Float = 5e-4

  @Option(
    name: .long,
    help: """
      Steps of linear warm-up, 0 to 1000000000000; none by default: a tenth of all.
      """)
  var warmupSteps: Int?

  @Option(
    name: .long,
    help: """
      cleanclip: weight of the self-supervised loss inside each modality, a number from 0; none by \
      default: 0.
      """)
  var inmodalWeight: Float?

  @OptionGroup var robust: RobustArguments
  @OptionGroup var training: TrainingArguments
  @OptionGroup var ranks: RankOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard inmodalWeight != nil, !method.takesInmodalWeight else { return }
    throw ValidationError(
      "--inmodal-weight has no effect with --method \(method.method.name); leave it out")
  }

  func run() throws {
    try common.apply(runsOverRanks: true)
    try Ranks.run(ranks) { communicator in try run(communicator) }
  }

  /// Runs on one of the ranks, of which the first writes.
  private func run(_ communicator: Communicator) throws {
    try Outputs.requireDistinct([output, training.history], besides: training.stateDirectory)
    if communicator.rank == 0 {
      try Outputs.check(training.history, folder: training.stateDirectory)
      try Outputs.keep(
        pairs.files + words.files + [architecture], from: output, training.history)
    }
    let configuration = try readArchitecture()
    let model = try CLIPModel(configuration, randomSeed: training.seed)
    let loaded = LoadedModel(model)
    if communicator.rank == 0 {
      try Outputs.asOutput { () throws(CLIPError) in try loaded.checkSaving(to: output) }
    }
    let dataset = try pairs.open(writing: [output, training.history])
    let steps = dataset.count / max(1, training.batchSize)
    var options = training.options(
      method.options, learningRate: learningRate,
      warmupSteps: warmupSteps ?? steps.multipliedReportingOverflow(by: training.epochs)
        .partialValue / 10,
      inmodalWeight: method.inmodalWeight(inmodalWeight))
    robust.apply(to: &options)
    let history = try training.train(
      "train", model, tokenizer: try words.tokenizer(besideModel: nil), dataset: dataset,
      options: options, common: common, communicator
    ) { () throws(CLIPError) in try loaded.saveOrRescue(to: output) }
    if communicator.rank == 0 { try history.printSummary(output: output, asJSON: common.json) }
  }

  private func readArchitecture() throws(CLIPError) -> CLIPConfiguration {
    guard architecture.hasSuffix(".json") else {
      return try CLIPConfiguration.architecture(architecture)
    }
    let bytes = try FileContents.read(architecture, limit: 1 << 20)
    return try CLIPConfiguration(
      openCLIP: try JSONValue.parse(
        String(decoding: bytes, as: UTF8.self), name: architecture), name: architecture)
  }
}
