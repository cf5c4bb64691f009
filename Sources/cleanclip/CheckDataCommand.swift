internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip check data`.
struct CheckDataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract: "Look for poisoned pairs in the data that a checkpoint was trained on.",
    discussion: """
      Ranks pairs by how isolated their images are to MODEL, which must have been trained on \
      them, and by how badly they match their captions to a trusted checkpoint, when one is given. \
      Features computed before need neither MODEL nor --data: pairs are then called by --keys or \
      by the number of their row, from 0.
      """)

  @Argument(help: "An ONNX or safetensors file, or VISUAL.onnx,TEXTUAL.onnx.")
  var model: String?

  @OptionGroup var words: TokenizerOptions
  @OptionGroup var images: PreprocessingOptions

  @OptionGroup var pairs: CheckedPairs

  @Option(name: .long, help: "Another checkpoint, not trained on these pairs.")
  var trusted: String?

  @Option(name: .long, help: "Write a csv file with the scores of every pair.")
  var scores: String?

  @Option(
    name: .long,
    help: "Write the rows that stay, number and key on each line, which --keep reads.")
  var cleaned: String?

  @Option(
    name: .long,
    help:
      "Write the other rows, which look poisoned, in the same form; sanitize --suspects reads it.")
  var suspects: String?

  @Option(
    name: .long,
    help: """
      The fraction of poisoned pairs that reference sets are sized for, more than 0, less than 0.5.
      """)
  var assumedPoisonRate = DatasetCheckOptions().assumedPoisonRate

  @Option(name: .long, help: "Seed of everything that is drawn.")
  var seed: UInt64 = 0

  @Flag(name: .long, help: "Count recurring patches too.")
  var patches = false

  @Option(
    name: .long,
    help: """
      What may be left out unread under a clean verdict, a number from 0: from 1 on rows, below 1 a \
      fraction of all of them.
      """)
  var allowUnread = DatasetCheckOptions().unread.allowed

  @OptionGroup var kept: StateOptions

  @OptionGroup var check: CheckOptions

  @OptionGroup var common: CommonOptions

  func validate() throws {
    try pairs.validate(model: model, trusted: trusted, patches: patches)
  }

  func run() throws {
    try common.apply()
    try checkOptions.validate()
    Interruption.listen()
    try Outputs.check(scores, cleaned, suspects, check.report, folder: kept.stateDirectory)
    try Outputs.keep(
      [model, trusted].compactMap(\.self) + pairs.files + words.files + images.files, from: scores,
      cleaned, suspects, check.report)
    if trusted == nil { words.tellUnread("captions are encoded by --trusted alone") }
    let dataset = try pairs.open(
      writing: [scores, cleaned, suspects, check.report])
    let checker = checker
    let (given, result) = try kept.hinting { () throws(CLIPError) in
      try checker.stateFolder.running { () throws(CLIPError) in
        let read = try dataset.map { (dataset) throws(CLIPError) in try self.read(dataset) }
        let given = try pairs.adding(to: read)
        return (given, try score(given, dataset, checker))
      }
    }
    PairDataset.report(given.unread)
    var outputs = Outputs()
    outputs.write { () throws(CLIPError) in try print(result) }
    write(result, dataset, rows: given.rows, to: &outputs)
    try outputs.finish()
    try check.exit(result.verdict)
  }

  private func read(_ dataset: PairDataset) throws(CLIPError) -> DatasetFeatures {
    var reader = DatasetReader()
    if let model {
      reader.model = try LoadedModel.load(model, preprocessing: images.preprocessing).model
    }
    if let trusted {
      reader.trusted = (
        try LoadedModel.load(trusted).model, try words.tokenizer(besideModel: trusted)
      )
    }
    reader.findsPatches = patches
    reader.precision = check.precision.dtype
    reader.stateDirectory = kept.stateDirectory
    reader.resume = kept.resume
    var line = ProgressLine("read pairs", isQuiet: common.quiet)
    return try reader.read(dataset) { done in
      line.update(done, of: dataset.count, "pairs")
      return !Interruption.wasRequested
    }
  }

  private var checkOptions: DatasetCheckOptions {
    var options = DatasetCheckOptions()
    options.assumedPoisonRate = assumedPoisonRate
    options.seed = seed
    options.unread.allowed = allowUnread
    options.memoryBudget = pairs.memoryBudget?.bytes
    return options
  }

  private var checker: DatasetCheck {
    var checker = DatasetCheck()
    checker.options = checkOptions
    checker.stateDirectory = kept.stateDirectory
    checker.resume = kept.resume
    return checker
  }

  private func score(
    _ given: DatasetFeatures, _ dataset: PairDataset?, _ checker: DatasetCheck
  ) throws(CLIPError) -> DatasetCheckResult {
    var line = ProgressLine("find neighbours", isQuiet: common.quiet)
    return try checker.run(given, dataset: dataset) { fraction in
      line.update(Int(fraction * 1000), of: 1000)
      return !Interruption.wasRequested
    }
  }

  private func print(_ result: DatasetCheckResult) throws(CLIPError) {
    if common.json { return try printResult(result.json.serialized(pretty: true)) }
    var lines = ["verdict: \(result.verdict.rawValue)", result.explanation]
    for (rank, index) in result.ranking.prefix(20).enumerated() {
      let pair = result.pairs[index]
      lines.append(
        "\(rank + 1). \(pair.key.printable())  \(decimal(Double(pair.score), 2))  "
          + pair.caption.printable(limit: 400))
    }
    try printResult(lines.joined(separator: "\n"))
  }

  private func write(
    _ result: DatasetCheckResult, _ dataset: PairDataset?, rows: [Int], to outputs: inout Outputs
  ) {
    outputs.write(scores) { (path) throws(CLIPError) in
      try AtomicFile.write(result.csv, to: path)
    }
    outputs.write(cleaned) { (path) throws(CLIPError) in
      try AtomicFile.write(result.cleanedList, to: path)
    }
    outputs.write(suspects) { (path) throws(CLIPError) in
      try AtomicFile.write(result.suspectList, to: path)
    }
    outputs.write(check.report) { (path) throws(CLIPError) in
      let page = try result.contactSheet(
        data: pairs.name, version: libraryVersion, images: dataset.map { ($0, rows) })
      try AtomicFile.write(page, to: path)
    }
  }
}
