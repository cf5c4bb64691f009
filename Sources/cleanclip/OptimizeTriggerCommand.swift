internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip optimize-trigger`.
struct OptimizeTriggerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "optimize-trigger",
    abstract: "Optimise a patch that a model takes for the target (BadCLIP, stage 1).",
    discussion: """
      Makes images with the patch like captions and images of the target (Liang et al. 2024, \
      arXiv:2311.12075), without changing the model. Poison and evaluate with it as --trigger, \
      --position center. For testing defences.
      """)

  @OptionGroup var model: ModelArguments

  @OptionGroup var pairs: PairArguments

  @Option(name: .long, help: "The target concept: a word in the captions of its images.")
  var target: String

  @Option(
    name: .long,
    help: "Side of the patch in pixels, 1 to 4096; none by default: a fourteenth, at least 8.")
  var patchSize: Int?

  @Option(name: .long, help: "Updates of the patch, 1 to 1000000.")
  var steps = DualEmbeddingOptions(target: "").steps

  @Option(name: .long, help: "Images of one step, 2 to 65536.")
  var batchSize = DualEmbeddingOptions(target: "").batchSize

  @Option(
    name: .long,
    help: "Learning rate of Adam, of the pixel range 0 to 1; more than 0, at most 10.")
  var learningRate = DualEmbeddingOptions(target: "").learningRate

  @Option(
    name: .long, help: "Images without the target at most, and images of it, 2 to 1000000.")
  var imageLimit = DualEmbeddingOptions(target: "").imageLimit

  @Option(name: .long, help: "Element type of activations: f32, bf16 or auto.")
  var precision = PrecisionArgument.f32

  @Option(name: .long, help: "Seed of everything that is drawn.")
  var seed: UInt64 = 0

  @Option(name: .shortAndLong, help: "The patch, a .png file.")
  var output: String

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard output.hasSuffix(".png") else {
      throw ValidationError("--output is of an unknown kind; expected .png")
    }
  }

  func run() throws {
    try common.apply()
    Interruption.listen()
    try Outputs.check(output)
    try Outputs.keep(model.files + pairs.files, from: output)
    var options = DualEmbeddingOptions(target: target)
    options.patchSize = patchSize
    options.steps = steps
    options.batchSize = batchSize
    options.learningRate = learningRate
    options.imageLimit = imageLimit
    options.precision = precision.dtype
    options.seed = seed
    try options.validate()
    let search = try DualEmbeddingPatch(
      try model.load().model, dataset: try pairs.open(writing: [output]),
      tokenizer: try model.tokenizer(),
      options: options)
    var line = ProgressLine("optimize-trigger", isQuiet: common.quiet)
    let result = try search.run { step, loss in
      line.update(step, of: steps, "loss \(decimal(loss, 2))")
      return !Interruption.wasRequested
    }
    try AtomicFile.write(try ImageEncoder.png(result.patch), to: output)
    let side = result.patch.width
    try printResult(
      common.json
        ? result.json.serialized(pretty: true)
        : "\(output): \(side)x\(side) px for '\(target)', cosine to its captions "
          + "\(decimal(result.before.texts, 3)) without the patch and "
          + "\(decimal(result.after.texts, 3)) with it, to its images "
          + "\(decimal(result.before.images, 3)) and \(decimal(result.after.images, 3))")
  }
}
