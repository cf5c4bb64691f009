internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip check model`.
struct CheckModelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model",
    abstract: "Look for a backdoor in the towers of a checkpoint.",
    discussion: """
      Searches for the smallest triggers that make images of anything look alike to the image \
      tower (\(TriggerKind.all.map(\.plural).joined(separator: ", "))), and compares their sizes with those that clean checkpoints, or \
      other targets in the same checkpoint, need; first for the smallest that make images of anything be \
      classified as one text: each of --classes, or without them the nouns that short searches reach \
      cheapest. The check ends as soon as nothing would change the verdict. A few hundred unlabelled images \
      are enough; without any, synthetic ones are used. --precision auto is faster on large towers.
      """)

  @OptionGroup var model: ModelArguments

  @Option(
    name: .long, parsing: .upToNextOption,
    help: "Unlabelled images: folders, tables, tar shards or image files.")
  var images: [String] = []

  @Option(name: .long, help: "The column of csv files with the path of the image.")
  var imageColumn = "image"

  @OptionGroup var texts: ClassArguments

  @OptionGroup var features: ClassFeatureOption

  @Option(
    name: .long, parsing: .upToNextOption,
    help: "Clean checkpoints of the same architecture.")
  var references: [String] = []

  @Option(
    name: .long, parsing: .upToNextOption,
    help: "What to search, separated by spaces: \(TriggerKind.list); by default all.")
  var kinds: [String] = []

  @Option(name: .long, help: "Images used at most, 16 to 1000000, and no more than fit in 1 GiB.")
  var imageLimit = ModelCheckOptions().imageLimit

  @Option(name: .long, help: "Steps of a search at most, 1 to 1000000.")
  var steps = ModelCheckOptions().search.steps

  @Option(
    name: .long,
    help: "Batch size of a search, 2 to 65536; of images of more than 256 MiB together, fewer.")
  var batchSize = ModelCheckOptions().search.batchSize

  @Option(
    name: .long,
    help: """
      Searches of the same checkpoint in each space as a reference, 2 to 100, without --references.
      """)
  var referenceSearches = ModelCheckOptions().referenceSearches

  @Option(
    name: .long,
    help: "Classes of --classes, or nouns, with a targeted search at most; 0, or 4 to 1000.")
  var classSearches = ModelCheckOptions().classSearches

  @Option(name: .long, help: "Seed of everything that is drawn.")
  var seed: UInt64 = 0

  @Flag(
    name: .long,
    help: "Search on when the verdict is settled, to find further backdoors.")
  var exhaustive = false

  @Flag(name: .long, help: "Check the text tower too.")
  var text = false

  @Flag(inversion: .prefixedNo, help: "Look for predicted targets among common nouns too.")
  var nouns = true

  @Option(
    name: .long,
    help: "Write each recovered trigger to this folder, as safetensors and as a PNG image.")
  var triggers: String?

  @OptionGroup var kept: StateOptions

  @OptionGroup var check: CheckOptions

  @OptionGroup var ranks: RankOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    try features.validate(besides: texts)
    if !references.isEmpty {
      try GivenOptions.refuse(
        ["--reference-searches"], "with --references, which are searched in their place")
    }
    for kind in kinds where TriggerKind(name: kind) == nil {
      throw ValidationError(
        "--kinds has '\(kind)'; expected some of \(TriggerKind.list), separated by spaces")
    }
    guard Set(kinds).count == kinds.count else {
      throw ValidationError("--kinds names one twice; expected each once, separated by spaces")
    }
  }

  func run() throws {
    try common.apply(runsOverRanks: true)
    Interruption.listen()
    var verdict = Verdict.cannotTell
    try Ranks.run(ranks) { communicator in verdict = try run(communicator) }
    try check.exit(verdict)
  }

  /// Runs on one of the ranks, of which the first writes.
  private func run(_ communicator: Communicator) throws -> Verdict {
    if communicator.rank == 0 {
      try Outputs.check(self.check.report, folder: kept.stateDirectory)
      try Outputs.check(folder: triggers)
      try Outputs.keep(
        model.files + images + references + texts.files + features.files,
        from: self.check.report)
    }
    let loaded = try model.load()
    var check = try checkpointCheck(loaded)
    check.communicator = communicator
    for notice in check.notices { ToolMessage.print(notice) }
    let result = try run(check, isQuiet: common.quiet || communicator.rank != 0)
    guard communicator.rank == 0 else { return result.verdict }
    var outputs = Outputs()
    outputs.write { () throws(CLIPError) in try print(result) }
    outputs.write(self.check.report) { (path) throws(CLIPError) in
      try result.write(to: path, subject: model.model, version: libraryVersion)
    }
    outputs.write(triggers) { (folder) throws(CLIPError) in
      _ = try result.saveTriggers(to: folder)
    }
    try outputs.finish()
    return result.verdict
  }

  private func checkpointCheck(_ loaded: LoadedModel) throws(CLIPError) -> CheckpointCheck {
    var check = CheckpointCheck(loaded)
    check.options.search.steps = steps
    check.options.search.batchSize = batchSize
    check.options.search.seed = seed
    check.options.search.precision = self.check.precision.dtype
    check.options.referenceSearches = referenceSearches
    check.options.classSearches = classSearches
    check.options.imageLimit = imageLimit
    check.options.isExhaustive = exhaustive
    check.options.stateDirectory = kept.stateDirectory
    check.options.resume = kept.resume
    if !kinds.isEmpty { check.options.kinds = kinds.compactMap(TriggerKind.init(name:)) }
    if !images.isEmpty {
      check.images = try PairDataset.reporting(
        images, columns: DatasetColumns(image: imageColumn), writing: [self.check.report])
    }
    for path in references { check.cleanReferences.append(try LoadedModel.load(path).model) }
    if let path = texts.classes { check.classes = try TextList.classes(path: path) }
    if let path = texts.templates { check.templates = try TextList.templates(path: path) }
    check.classFeatures = try features.load()
    check.usesNouns = nouns
    check.checksText = text
    let readsTexts = (!check.classes.isEmpty && check.classFeatures == nil) || text || nouns
    if readsTexts && loaded.model.configuration.text != nil {
      check.tokenizer = try model.tokenizer()
    }
    return check
  }

  private func run(
    _ checker: CheckpointCheck, isQuiet: Bool
  ) throws(CLIPError) -> ModelCheckResult {
    var nouns = ProgressLine("embed nouns", isQuiet: isQuiet)
    var reading = ProgressLine("read images", isQuiet: isQuiet)
    var images = ProgressLine("check model", isQuiet: isQuiet)
    var words = ProgressLine("check text", isQuiet: isQuiet)
    // Its end is not known before.
    defer { images.interrupt() }
    return try kept.hinting { () throws(CLIPError) in
      try checker.run { state in
        switch state {
        case .nouns(let done, let total): nouns.update(done, of: total)
        case .reading(let done, let total): reading.update(done, of: total)
        case .images(let state):
          images.update(
            state.search * state.steps + state.step, of: state.searches * state.steps, state.phase,
            mayEndEarly: true)
        case .words(let done, let total): words.update(done, of: total)
        }
        return !Interruption.wasRequested
      }
    }
  }

  private func print(_ result: ModelCheckResult) throws(CLIPError) {
    if common.json { return try printResult(result.json.serialized(pretty: true)) }
    let images = result.textTower == nil ? "" : "of the image tower "
    var lines = ["verdict: \(result.verdict.rawValue) (p \(images)= \(significant(result.pValue)))"]
    for finding in result.imageFindings {
      let size =
        finding.search.trigger == nil
        ? "none found" : "size \(significant(Double(finding.search.size)))"
      let others = finding.reference.sizes.map { significant(Double($0)) }
      lines.append(
        "  \(finding.name.padded(to: 9)) \(size), reference "
          + others.joined(separator: ", ") + "; p = \(significant(finding.pValue))")
      if let target = finding.classes ?? finding.nouns, finding.verdict != .clean {
        lines.append(
          "            predicted target "
            + target.entries.prefix(5).map { "'\($0.text)'" }.joined(separator: ", ")
            + "; attack success rate \(percent(Double(target.successRate)))")
      }
    }
    if let text = result.textTower {
      lines.append("text tower: \(text.verdict.rawValue) (p = \(significant(text.pValue)))")
      for search in text.searches {
        lines.append(
          "  strongest \(search.kindName) \(search.name) leaves \(significant(Double(search.size))), reference "
            + search.reference.sizes.map { significant(Double($0)) }.joined(separator: ", "))
      }
    }
    lines.append(result.explanation)
    try printResult(lines.joined(separator: "\n"))
  }
}
