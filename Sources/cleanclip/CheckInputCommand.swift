internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip check input`.
struct CheckInputCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "input",
    abstract: "Look for triggers in images, judged by a bank of clean ones.",
    discussion: """
      Make the bank once with --make-bank from clean images like those to be judged: 200 are \
      enough for a false-alarm rate of 1 %. Then judge images with --bank. When images of another \
      kind come in, extend it with --extend-bank by some of them that you trust.
      """)

  @OptionGroup var model: ModelArguments

  @Option(
    name: .long, parsing: .upToNextOption,
    help: "Folders, csv files or tar shards of images: to judge, or clean ones for the bank.")
  var images: [String]

  @Option(name: .long, help: "The bank's file.")
  var bank: String

  @Flag(name: .long, help: "Make the bank from the images instead of judging them.")
  var makeBank = false

  @Flag(name: .long, help: "Add the images, which are clean, to the bank instead of judging them.")
  var extendBank = false

  @Option(
    name: .long, help: "Fraction of clean images that may be flagged, a number between 0 and 1.")
  var falseAlarmRate = InputCheck.defaultFalseAlarmRate

  @OptionGroup var texts: ClassArguments

  @Option(name: .long, help: "The column of csv files with the path of the image.")
  var imageColumn = DatasetColumns().image

  @Option(
    name: .long,
    help: """
      Images that may be left out unread under a clean verdict, a number from 0: from 1 on images, \
      below 1 a fraction of all; by default none.
      """)
  var allowUnread = InputReport.noneUnread.allowed

  @OptionGroup var check: CheckOptions

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if makeBank, extendBank {
      throw ValidationError("--make-bank and --extend-bank exclude one another; give one")
    }
    if !makeBank, texts.classes != nil {
      throw ValidationError("--classes are kept in the bank; give them with --make-bank")
    }
    let judges =
      check.report != nil || check.gate || falseAlarmRate != InputCheck.defaultFalseAlarmRate
      || allowUnread != InputReport.noneUnread.allowed
    if writesBank, judges {
      throw ValidationError(
        "--report, --gate, --false-alarm-rate and --allow-unread have no effect with --make-bank and "
          + "--extend-bank, which judge nothing; give them with the images to judge")
    }
  }

  private var writesBank: Bool { makeBank || extendBank }

  func run() throws {
    try common.apply()
    try UnreadLimit(allowUnread).validate()
    Interruption.listen()
    try Outputs.check(writesBank ? bank : nil, check.report)
    try Outputs.keep(
      model.files + images + texts.files + (makeBank ? [] : [bank]),
      from: makeBank ? bank : nil, check.report)
    let loaded = try model.load().model
    let dataset = try PairDataset.reporting(
      images, columns: DatasetColumns(image: imageColumn),
      writing: [writesBank ? bank : nil, check.report])
    var reader = DatasetReader(model: loaded)
    reader.precision = check.precision.dtype
    var line = ProgressLine("read images", isQuiet: common.quiet)
    let given = try reader.read(dataset) { done in
      line.update(done, of: dataset.count)
      return !Interruption.wasRequested
    }
    PairDataset.report(given.unread)
    guard let features = try given.allImageFeatures() else { return }
    if makeBank { return try make(features, loaded) }
    if extendBank { return try extend(by: features, loaded) }
    try check.exit(try judge(given, features, dataset, loaded))
  }

  private func make(_ features: Tensor, _ loaded: CLIPModel) throws(CLIPError) {
    var classTexts: CleanBank.ClassTexts?
    if let given = try texts.load() {
      classTexts = try CleanBank.ClassTexts(
        classes: given.classes, templates: given.templates, model: loaded,
        tokenizer: try model.tokenizer(), precision: check.precision.dtype)
    }
    let kept = try FeatureMatrix.distinct(features)
    let made = try CleanBank(
      imageFeatures: try FeatureMatrix.gather(features, kept), texts: classTexts,
      imageTower: loaded.imageTowerIdentity)
    try made.save(to: bank)
    try report(made, new: kept.count, known: features.shape[0] - kept.count)
  }

  private func extend(by features: Tensor, _ loaded: CLIPModel) throws(CLIPError) {
    let before = try openBank(of: loaded)
    let extended = try before.extended(by: features)
    let new = extended.imageFeatures.shape[0] - before.imageFeatures.shape[0]
    try extended.save(to: bank)
    try report(extended, new: new, known: features.shape[0] - new)
  }

  /// Reads the bank, which must be of the model.
  private func openBank(of loaded: CLIPModel) throws(CLIPError) -> CleanBank {
    var read = try CleanBank.load(bank)
    if read.imageTower == nil {
      ToolMessage.print(
        "'\(bank)' does not say which model it was made with, and is taken for one of this model")
    }
    try read.take(loaded)
    return read
  }

  /// Tells what the bank holds now.
  private func report(_ made: CleanBank, new: Int, known: Int) throws(CLIPError) {
    let count = made.imageFeatures.shape[0]
    let rate = made.smallestFalseAlarmRate
    guard !common.json else {
      let result: JSONValue = [
        "bank": .string(bank), "bank_images": .integer(count), "new": .integer(new),
        "known": .integer(known), "smallest_false_alarm_rate": .number(rate),
      ]
      return try printResult(result.serialized(pretty: true))
    }
    var line = "\(bank): \(count) clean images"
    if extendBank { line += ", \(new) of them new" }
    if known > 0 { line += "; \(known) of those given were there already" }
    if rate > InputCheck.defaultFalseAlarmRate {
      line +=
        "; enough for a --false-alarm-rate of \(decimal(rate, 4)) and more, not for the default"
    }
    try printResult(line)
  }

  private func judge(
    _ given: DatasetFeatures, _ features: Tensor, _ dataset: PairDataset, _ loaded: CLIPModel
  ) throws(CLIPError) -> Verdict {
    let checker = try InputCheck(
      bank: try openBank(of: loaded), falseAlarmRate: falseAlarmRate)
    let findings = try checker.findings(features)
    let result = InputReport(
      keys: given.keys, findings: findings, threshold: checker.threshold,
      shift: try checker.shift(of: features, findings), omissions: given.omissions,
      unreadLimit: UnreadLimit(allowUnread))
    var outputs = Outputs()
    outputs.write { () throws(CLIPError) in try print(result) }
    outputs.write(check.report) { (path) throws(CLIPError) in
      let page = try result.html(
        model: model.model, version: libraryVersion
      ) { (index) throws(CLIPError) in try dataset.row(at: given.rows[index]).decoded().image }
      try AtomicFile.write(page, to: path)
    }
    try outputs.finish()
    return result.verdict
  }

  private func print(_ result: InputReport) throws(CLIPError) {
    if common.json { return try printResult(result.json.serialized(pretty: true)) }
    let lines = zip(result.keys, result.findings).map { key, finding in
      "\(finding.isFlagged ? "TRIGGER" : "ok     ")  \(decimal(Double(finding.score), 2))  "
        + "p = \(decimal(finding.pValue, 4))  \(key.printable())"
    }
    try printResult((lines + [result.explanation]).joined(separator: "\n"))
  }
}
