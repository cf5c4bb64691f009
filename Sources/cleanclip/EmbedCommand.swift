internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip embed`.
struct EmbedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "embed",
    abstract: "Compute features of images, of texts, or of pairs.",
    discussion: """
      Writes a NumPy array, float32 [n, embed_dim], and prints what each row is. A .safetensors file \
      has keys and captions too: a part that check data joins with others, for which images that \
      cannot be read are left out and counted.
      """)

  @OptionGroup var model: ModelArguments

  @Option(
    name: .long, parsing: .upToNextOption,
    help: "Images: folders, tables, tar shards or image files.")
  var images: [String] = []

  @Option(name: .long, help: "A file with a text on each line.")
  var texts: String?

  @Option(
    name: .long, parsing: .upToNextOption,
    help: "Pairs, for features of images and of captions in a .safetensors file.")
  var data: [String] = []

  @Option(name: .long, help: "Only the K-th of N runs of rows, from 0, as K/N: whole batches.")
  var part: PartArgument?

  @Option(name: .shortAndLong, help: "The .npy or .safetensors file.")
  var output: String

  @Flag(inversion: .prefixedNo, help: "L2-normalize the features.")
  var normalize = true

  @Option(name: .long, help: "Images or texts computed at a time, 1 to 65536.")
  var batchSize = FeatureEncoder.defaultBatchSize

  @Option(name: .long, help: "Element type of activations: f32, bf16 or auto.")
  var precision = PrecisionArgument.f32

  @Option(name: .long, help: "The column of csv files with the path of the image.")
  var imageColumn = DatasetColumns().image

  @Option(name: .long, help: "The column of csv files with the caption.")
  var captionColumn = DatasetColumns().caption

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard [!images.isEmpty, texts != nil, !data.isEmpty].count(where: { $0 }) == 1 else {
      throw ValidationError("expected one of --images, --texts and --data")
    }
    if data.isEmpty {
      try GivenOptions.refuse(["--caption-column"], "without --data, which has captions")
      if texts != nil {
        try GivenOptions.refuse(["--image-column", "--preprocessing"], "without images")
      }
    }
    guard data.isEmpty || isPart else {
      throw ValidationError("--data gives two arrays; expected a .safetensors file as --output")
    }
  }

  /// Whether the file is one of the parts that `check data` joins.
  private var isPart: Bool { output.hasSuffix(".safetensors") }

  func run() throws {
    try common.apply(runsOverRanks: part != nil)
    Interruption.listen()
    try Outputs.check(output)
    try Outputs.keep(model.files + images + data + [texts].compactMap(\.self), from: output)
    if texts == nil, data.isEmpty { model.words.tellUnread("there are images alone") }
    var encoder = FeatureEncoder(try model.load().model)
    encoder.normalize = normalize
    encoder.precision = precision.dtype
    encoder.batchSize = batchSize
    try encoder.validate()
    let made = if let texts { try embedTexts(texts, encoder) } else { try embedImages(encoder) }
    if isPart {
      try made.write(to: output, model: encoder.model, isNormalized: normalize)
    } else if let features = made.imageFeatures ?? made.textFeatures {
      try NumPyFile.write(features, to: output)
    }
    try report(made.keys, encoder.embedDim)
  }

  private func embedTexts(
    _ path: String, _ encoder: FeatureEncoder
  ) throws(CLIPError) -> FeaturePartFile {
    var made = FeaturePartFile()
    let lines = try TextList.lines(path: path)
    made.keys = Array(lines[try rows(lines.count)])
    made.textFeatures = try encode(made.keys, encoder)
    return made
  }

  private func embedImages(_ encoder: FeatureEncoder) throws(CLIPError) -> FeaturePartFile {
    var dataset = try PairDataset.reporting(
      images + data, columns: DatasetColumns(image: imageColumn, caption: captionColumn),
      writing: [output], wantsCaptions: !data.isEmpty)
    if part != nil { dataset = dataset.keeping(Array(try rows(dataset.count))) }
    var made = FeaturePartFile()
    guard isPart else {
      made.keys = (0..<dataset.count).map { dataset.key(at: $0) }
      made.imageFeatures = try encodeImages(dataset, encoder)
      return made
    }
    let read = try readPart(dataset, encoder)
    made.keys = read.keys
    if dataset.hasCaptions { made.captions = read.captions }
    made.imageFeatures = try read.allImageFeatures()
    if !data.isEmpty { made.textFeatures = try encode(read.captions ?? [], encoder) }
    return made
  }

  /// The rows of this part.
  private func rows(_ count: Int) throws(CLIPError) -> Range<Int> {
    guard let part else { return 0..<count }
    return try part.rows(of: count, batchSize: batchSize)
  }

  private func readPart(
    _ dataset: PairDataset, _ encoder: FeatureEncoder
  ) throws(CLIPError) -> DatasetFeatures {
    var reader = DatasetReader(model: encoder.model)
    reader.normalize = normalize
    reader.precision = encoder.precision
    reader.batchSize = encoder.batchSize
    reader.task = "embed"
    var line = ProgressLine("embed", isQuiet: common.quiet)
    let read = try reader.read(dataset) { done in
      line.update(done, of: dataset.count, "images")
      return !Interruption.wasRequested
    }
    PairDataset.report(read.unread)
    return read
  }

  private func encode(
    _ texts: [String], _ encoder: FeatureEncoder
  ) throws(CLIPError) -> Tensor {
    let tokenizer = try model.tokenizer()
    let features = try Tensor([texts.count, encoder.embedDim])
    var line = ProgressLine("embed", isQuiet: common.quiet)
    for start in stride(from: 0, to: texts.count, by: batchSize) {
      let range = start..<min(start + batchSize, texts.count)
      try encoder.texts(
        Array(texts[range]), tokenizer: tokenizer, into: features.f32 + start * encoder.embedDim)
      try Interruption.check("embed", range.upperBound, of: texts.count)
      line.update(range.upperBound, of: texts.count, "texts")
    }
    return features
  }

  private func encodeImages(
    _ dataset: PairDataset, _ encoder: FeatureEncoder
  ) throws(CLIPError) -> Tensor {
    var line = ProgressLine("embed", isQuiet: common.quiet)
    let features = try Tensor([dataset.count, encoder.embedDim])
    try encoder.images(of: dataset, into: features.f32) { done in
      line.update(done, of: dataset.count, "images")
      return !Interruption.wasRequested
    }
    return features
  }

  private func report(_ keys: [String], _ width: Int) throws(CLIPError) {
    guard common.json else {
      return try printResult(
        "\(output): \(keys.count) x \(width)" + (normalize ? ", L2-normalized" : ""))
    }
    let result: JSONValue = [
      "output": .string(output), "count": .integer(keys.count), "embed_dim": .integer(width),
      "normalized": .bool(normalize),
      "rows": .array(keys.map { .string($0) }),
    ]
    try printResult(result.serialized(pretty: true))
  }
}

/// One of several runs of rows, as `3/16`.
struct PartArgument: ExpressibleByArgument {
  let number: Int
  let count: Int

  init?(argument: String) {
    let numbers = argument.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let number = numbers[0], let count = numbers[1], number >= 0,
      number < count
    else { return nil }
    self.number = number
    self.count = count
  }

  /// The part's rows: whole batches, so that features are, bit by bit, those of all rows at once.
  ///
  /// - Throws: `invalidArgument` for more parts than batches.
  func rows(of total: Int, batchSize: Int) throws(CLIPError) -> Range<Int> {
    let batches = (total + batchSize - 1) / batchSize
    guard count <= batches else {
      throw CLIPError(
        .invalidArgument,
        "embed: there are more parts than batches; expected at most \(batches) parts of \(total) rows "
          + "with a batch size of \(batchSize), got \(count)")
    }
    return batches * number / count
      * batchSize..<min(
        total, batches * (number + 1) / count * batchSize)
  }
}
