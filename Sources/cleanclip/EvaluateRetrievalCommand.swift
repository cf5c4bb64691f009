internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip evaluate-retrieval`.
struct EvaluateRetrievalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate-retrieval",
    abstract: "Measure how well captions find their images, and images their captions.",
    discussion: """
      Every pair is a query, and the images or captions of all pairs are its candidates. Pairs with \
      the same key, such as the path of an image in a csv file, are captions of one image.
      """)

  @OptionGroup var model: ModelArguments
  @OptionGroup var pairs: PairArguments

  @Option(name: .long, help: "Images and captions computed at a time, 1 to 65536.")
  var batchSize = FeatureEncoder.defaultBatchSize

  @Option(name: .long, help: "Element type of activations: f32, bf16 or auto.")
  var precision = PrecisionArgument.f32

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.apply()
    Interruption.listen()
    var encoder = FeatureEncoder(try model.load().model)
    encoder.batchSize = batchSize
    encoder.precision = precision.dtype
    let evaluator = try RetrievalEvaluator(encoder, tokenizer: try model.tokenizer())
    let dataset = try pairs.open(writing: [])
    var line = ProgressLine("evaluate-retrieval", isQuiet: common.quiet)
    let result = try evaluator.evaluate(dataset) { done in
      line.update(done, of: dataset.count, "pairs")
      return !Interruption.wasRequested
    }
    PairDataset.report(Omissions(unreadable: result.skipped, examples: result.skippedReasons))
    try printResult(
      common.json
        ? result.json.serialized(pretty: true) : result.lines.joined(separator: "\n"))
  }
}

extension RetrievalResult {
  /// The result for people.
  fileprivate var lines: [String] {
    var lines = ["captions of an image (\(images) images)"]
    lines += recall.imageToText.map { $0.line("recall at ") }
    lines.append("images of a caption (\(captions) captions)")
    lines += recall.textToImage.map { $0.line("recall at ") }
    if skipped > 0 { lines.append("left out: \(skipped) pairs that cannot be read") }
    return lines
  }
}
