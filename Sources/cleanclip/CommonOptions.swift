internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// Options of every command.
struct CommonOptions: ParsableArguments {
  @Flag(name: .long, help: "Print the result as JSON.")
  var json = false

  @Flag(name: .long, help: "Show no progress.")
  var quiet = false

  @Option(
    name: .long,
    help: "Computing threads, at most one for each processor; by default, one for each core.")
  var threads: Int?

  mutating func validate() throws {
    guard let threads, !Threads.range.contains(threads) else { return }
    throw ValidationError(
      "--threads is out of range; expected \(Threads.range.lowerBound) to "
        + "\(Threads.range.upperBound), got \(threads)")
  }

  /// Applies what concerns the whole process.
  ///
  /// - Parameter runsOverRanks: whether the command divides its work among the processes of `mpirun`.
  /// - Throws: `invalidArgument` when `mpirun` started several processes and it does not.
  func apply(runsOverRanks: Bool = false) throws(CLIPError) {
    if !runsOverRanks { try Ranks.requireOne() }
    guard let threads else { return }
    if threads > Threads.processors {
      ToolMessage.print(
        "--threads \(threads) is more than there are processors for this process; "
          + "computing with \(Threads.processors)")
    }
    Threads.set(min(threads, Threads.processors))
  }
}

/// The element type of activations on the command line.
enum PrecisionArgument: String, ExpressibleByArgument, CaseIterable {
  case auto, f32, bf16

  /// The element type on this processor.
  var dtype: DType {
    switch self {
    case .auto: CPUFeatures.supportsBF16 ? .bf16 : .f32
    case .f32: .f32
    case .bf16: .bf16
    }
  }
}

/// A model and its tokenizer.
struct ModelArguments: ParsableArguments {
  @Argument(
    help: "An ONNX or safetensors file, a folder with one, or VISUAL.onnx,TEXTUAL.onnx.")
  var model: String

  @OptionGroup var words: TokenizerOptions
  @OptionGroup var images: PreprocessingOptions

  /// The files that are given.
  var files: [String] { [model] + words.files + images.files }

  func load() throws(CLIPError) -> LoadedModel {
    try LoadedModel.load(model, preprocessing: images.preprocessing)
  }

  func tokenizer() throws(CLIPError) -> Tokenizer { try words.tokenizer(besideModel: model) }

  /// The tokenizer; `nil` where none is named and none is found.
  func tokenizerIfThere() throws(CLIPError) -> Tokenizer? {
    if words.tokenizer != nil { return try tokenizer() }
    return try Tokenizer.findIfThere(besideModel: model)
  }
}

/// How images are prepared.
struct PreprocessingOptions: ParsableArguments {
  @Option(
    name: .long,
    help: """
      How images are prepared, as JSON or a file: OpenCLIP's preprocess_cfg or Hugging Face's \
      preprocessor_config.json; by default what is in the model or beside it, else CLIP's own.
      """)
  var preprocessing: String?

  /// The file that is given.
  var files: [String] { [preprocessing].compactMap(\.self) }

  /// Reads it where no model is read.
  func read(imageSize: Int) throws(CLIPError) -> ImagePreprocessing? {
    guard let preprocessing else { return nil }
    return try ImagePreprocessing.reading(
      textOrPath: preprocessing, imageSize: imageSize, remedy: .ofImageSize)
  }
}

/// Which vocabulary.
struct TokenizerOptions: ParsableArguments {
  @Option(
    name: .long,
    help: """
      bpe_simple_vocab_16e6.txt(.gz), vocab.json or tokenizer.json; by default the one beside the \
      model, then the installed one.
      """)
  var tokenizer: String?

  /// The file that is given.
  var files: [String] { [tokenizer].compactMap(\.self) }

  /// Says that the file is not read, where one is given: commands that belong together are given one often.
  func tellUnread(_ reason: String) {
    if tokenizer != nil { ToolMessage.print("--tokenizer is not read: \(reason)") }
  }

  func tokenizer(besideModel model: String?) throws(CLIPError) -> Tokenizer {
    if let tokenizer { return try Tokenizer.load(path: tokenizer) }
    return try Tokenizer.find(besideModel: model)
  }
}

/// Pairs to train with.
struct PairArguments: ParsableArguments {
  @Option(
    name: .long, parsing: .upToNextOption,
    help: """
      csv or tsv files, WebDataset tar shards, folders, or patterns such as 'finetune-*.tar'.
      """)
  var data: [String] = []

  @Option(name: .long, parsing: .upToNextOption, help: "The same as --data, instead of it.")
  var images: [String] = []

  @Option(name: .long, help: "The column of csv files with the path of the image.")
  var imageColumn = DatasetColumns().image

  @Option(name: .long, help: "The column of csv files with the caption.")
  var captionColumn = DatasetColumns().caption

  @Option(name: .long, help: "The column of csv files with the class name or index.")
  var labelColumn = DatasetColumns().label

  @Option(
    name: .long,
    help: "A list of rows as check data --cleaned writes it; the others are left out.")
  var keep: String?

  /// What --data or --images named.
  var sources: [String] { data + images }

  /// The files that are given.
  var files: [String] { sources + [keep].compactMap(\.self) }

  func validate() throws {
    guard data.isEmpty || images.isEmpty else {
      throw ValidationError("--data and --images name the same pairs; give one of them")
    }
    guard !sources.isEmpty else {
      throw ValidationError("--data is missing; give files of pairs, or --images")
    }
  }
}

/// A number of bytes such as `8G`, `512M` or `1000000`.
struct ByteCount: ExpressibleByArgument {
  let bytes: Int

  init?(argument: String) {
    let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
    var digits = argument[...]
    var unit = 1
    if digits.last == "B" || digits.last == "b" { digits = digits.dropLast() }
    if let last = digits.last, let factor = units[Character(last.uppercased())] {
      unit = factor
      digits = digits.dropLast()
    }
    guard let number = Double(digits), number > 0, number * Double(unit) < 0x1p60 else {
      return nil
    }
    bytes = Int(number * Double(unit))
  }
}
