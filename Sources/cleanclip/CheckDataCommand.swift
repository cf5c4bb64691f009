internal import ArgumentParser
internal import CleanCLIPKit

/// `cleanclip check data`.
struct CheckDataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract: "Look for poisoned pairs in the data that a checkpoint was trained on.",
    discussion: """
      Ranks pairs by how isolated their pictures are to MODEL, which must have been trained on \
      them, and by how badly they match their captions to a trusted checkpoint, when one is given.
      """)

  @OptionGroup var model: ModelArguments

  @OptionGroup var pairs: PairArguments

  @Option(name: .long, help: "Another checkpoint, not trained on these pairs.")
  var trusted: String?

  @Option(
    name: .long, help: "Features of the pictures by MODEL, not normalised, as a NumPy array [n, E]."
  )
  var features: String?

  @Option(name: .long, help: "Write a csv file with the scores of every pair.")
  var scores: String?

  @Option(name: .long, help: "Write the keys of the pairs that stay, one on each line.")
  var cleaned: String?

  @Option(name: .long, help: "The share of poison that reference sets are sized for.")
  var assumedPoisonRate = 0.01

  @Flag(name: .long, help: "Count recurring patches too.")
  var patches = false

  @OptionGroup var kept: StateOptions

  @OptionGroup var check: CheckOptions

  @OptionGroup var common: CommonOptions

  func run() throws {
    common.apply()
    var verdict = Verdict.clean
    try cleanclip_tool.run { () throws(CLIPError) in
      Interruption.listen()
      let dataset = try PairDataset.open(
        pairs.data,
        columns: DatasetColumns(
          image: pairs.imageColumn ?? "image", caption: pairs.captionColumn ?? "caption"))
      let (given, result) = try kept.hinting { () throws(CLIPError) in
        let given = try read(dataset)
        return (given, try score(given))
      }
      verdict = result.verdict
      try write(result, dataset, rows: given.rows)
      if given.skipped > 0 {
        printError("cleanclip: left out \(given.skipped) pairs: \(given.skippedReasons)")
      }
      if common.json {
        print(result.json.serialized(pretty: true))
      } else {
        print("verdict: \(result.verdict.rawValue)")
        print(result.explanation)
        for (rank, index) in result.ranking.prefix(20).enumerated() {
          let pair = result.pairs[index]
          print("\(rank + 1). \(pair.key)  \(fixed(Double(pair.score), 2))  \(pair.caption)")
        }
      }
    }
    try check.exit(verdict)
  }

  private func read(_ dataset: PairDataset) throws(CLIPError) -> DatasetFeatures {
    var reader = DatasetReader(model: features == nil ? try model.load().model : nil)
    if let trusted {
      reader.trusted = (
        try LoadedModel.load(trusted).model, try model.words.tokenizer(besideModel: trusted)
      )
    }
    reader.findsPatches = patches
    reader.precision = check.precision.dtype
    reader.stateDirectory = kept.state
    reader.resume = kept.resume
    var line = ProgressLine("read pairs", isQuiet: common.quiet)
    return try reader.read(dataset) { done in
      line.update(done, of: dataset.count, "pairs")
      return !Interruption.wasRequested
    }
  }

  private func score(_ given: DatasetFeatures) throws(CLIPError) -> DatasetCheckResult {
    var checker = DatasetCheck()
    checker.options.assumedPoisonRate = assumedPoisonRate
    checker.options.seed = check.seed
    let precomputed = try features.map { (path) throws(CLIPError) in try NumPyFile.read(path) }
    var line = ProgressLine("find neighbours", isQuiet: common.quiet)
    return try checker.run(
      imageFeatures: precomputed ?? given.imageFeatures, trustedCosines: given.trustedCosines,
      keys: given.keys, captions: given.captions, patchPairs: given.patchPairs
    ) { share in
      line.update(Int(share * 1000), of: 1000)
      return !Interruption.wasRequested
    }
  }

  private func write(
    _ result: DatasetCheckResult, _ dataset: PairDataset, rows: [Int]
  ) throws(CLIPError) {
    if let scores { try AtomicFile.write(result.csv, to: scores) }
    if let cleaned { try AtomicFile.write(result.cleanedList, to: cleaned) }
    if let path = check.report {
      let page = try result.contactSheet(
        data: pairs.data.joined(separator: ", "), version: CleanCLIPCommand.version
      ) { (index) throws(CLIPError) in try dataset.row(at: rows[index]).decoded().image }
      try AtomicFile.write(page, to: path)
    }
  }
}
