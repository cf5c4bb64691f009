internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip embed`.
struct EmbedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "embed",
    abstract: "Compute features of images or texts.",
    discussion: "Writes a NumPy array, float32 [n, embed_dim], and prints what each row is.")

  @OptionGroup var model: ModelArguments

  @Option(
    name: .long, parsing: .upToNextOption,
    help: "Images: folders, tables, tar shards or image files.")
  var images: [String] = []

  @Option(name: .long, help: "A file with a text on each line.")
  var texts: String?

  @Option(name: .shortAndLong, help: "The .npy file.")
  var output: String

  @Flag(inversion: .prefixedNo, help: "L2-normalize the features.")
  var normalize = true

  @Option(name: .long, help: "Images or texts computed at a time.")
  var batchSize = FeatureEncoder.defaultBatchSize

  @Option(name: .long, help: "Element type of activations: f32, bf16 or auto.")
  var precision = PrecisionArgument.f32

  @Option(name: .long, help: "The column of csv files with the path of the image.")
  var imageColumn = DatasetColumns().image

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard images.isEmpty != (texts == nil) else {
      throw ValidationError("expected one of --images and --texts")
    }
  }

  func run() throws {
    common.apply()
    Interruption.listen()
    try Outputs.check(output)
    try Outputs.keep([model.model] + images + [texts].compactMap(\.self), from: output)
    var encoder = FeatureEncoder(try model.load().model)
    encoder.normalize = normalize
    encoder.precision = precision.dtype
    encoder.batchSize = batchSize
    try encoder.validate()
    let keys: [String]
    let features: Tensor
    if let texts {
      keys = try TextList.lines(path: texts)
      features = try Tensor([keys.count, encoder.embedDim])
      try encode(keys, encoder, into: features.f32)
    } else {
      (keys, features) = try encodeImages(encoder)
    }
    try NumPyFile.write(features, to: output)
    try report(keys, encoder.embedDim)
  }

  private func encode(
    _ texts: [String], _ encoder: FeatureEncoder, into features: UnsafeMutablePointer<Float>
  ) throws(CLIPError) {
    let tokenizer = try model.tokenizer()
    var line = ProgressLine("embed", isQuiet: common.quiet)
    for start in stride(from: 0, to: texts.count, by: batchSize) {
      let range = start..<min(start + batchSize, texts.count)
      try encoder.texts(
        Array(texts[range]), tokenizer: tokenizer, into: features + start * encoder.embedDim)
      try Interruption.check("embed", range.upperBound, of: texts.count)
      line.update(range.upperBound, of: texts.count, "texts")
    }
  }

  private func encodeImages(
    _ encoder: FeatureEncoder
  ) throws(CLIPError) -> ([String], Tensor) {
    var line = ProgressLine("embed", isQuiet: common.quiet)
    let dataset = try PairDataset.reporting(images, columns: DatasetColumns(image: imageColumn))
    let features = try Tensor([dataset.count, encoder.embedDim])
    try encoder.images(of: dataset, into: features.f32) { done in
      line.update(done, of: dataset.count, "images")
      return !Interruption.wasRequested
    }
    return ((0..<dataset.count).map { dataset.key(at: $0) }, features)
  }

  private func report(_ keys: [String], _ width: Int) throws(CLIPError) {
    guard common.json else { return try printResult("\(output): \(keys.count) x \(width)") }
    let result: JSONValue = [
      "output": .string(output), "count": .integer(keys.count), "embed_dim": .integer(width),
      "rows": .array(keys.map { .string($0) }),
    ]
    try printResult(result.serialized(pretty: true))
  }
}
