internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip report`.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write one page about evaluations and trainings.",
    discussion: """
      Takes what evaluate --json printed and what --history of sanitize wrote; whatever is not \
      given is left out.
      """)

  @Option(name: .long, help: "The evaluation before sanitizing.")
  var before: String?

  @Option(name: .long, help: "The evaluation after it.")
  var after: String?

  @Option(name: .long, help: "The evaluation after another treatment, such as plain fine-tuning.")
  var control: String?

  @Option(name: .long, help: "The history of sanitizing.")
  var history: String?

  @Option(name: .long, help: "The history of the other treatment.")
  var controlHistory: String?

  @Option(name: .long, help: "A checkpoint whose architecture is described.")
  var model: String?

  @Option(name: .long, help: "Labelled images to show the trigger on, as for evaluate --data.")
  var images: String?

  @Option(name: .long, help: "A file with a class name on each line, for --images.")
  var classes: String?

  @OptionGroup var attack: TriggerArguments

  @Option(name: .long, help: "The class that the attack aims at, which --images leaves out.")
  var target: String?

  @Option(
    name: .long,
    help:
      "The side of the shown images in pixels, 1 to 4096; by default the model's, and 224 without --model."
  )
  var imageSize: Int?

  @OptionGroup var preparation: PreprocessingOptions

  @Option(name: .long, help: "The title.")
  var title: String?

  @Option(name: .long, help: "A line below the title.")
  var subtitle = ""

  @Option(name: .shortAndLong, help: "The page, .html, or .json.")
  var output: String

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard output.hasSuffix(".html") || output.hasSuffix(".json") else {
      throw ValidationError("--output is of an unknown kind; expected .html or .json")
    }
    guard
      [before, after, control, history, controlHistory, model, images].contains(where: { $0 != nil }
      )
    else {
      throw ValidationError(
        "there is nothing to report; give --before, --after, --control, --history, "
          + "--control-history, --model or --images")
    }
    if images != nil && (classes == nil || attack.trigger == nil) {
      throw ValidationError("--images needs --classes and --trigger")
    }
    guard images == nil else { return }
    let useless = [
      ("--classes", classes != nil), ("--trigger", attack.trigger != nil),
      ("--target", target != nil), ("--image-size", imageSize != nil),
      ("--preprocessing", model == nil && preparation.preprocessing != nil),
    ]
    if let (option, _) = useless.first(where: { $0.1 }) {
      throw ValidationError("\(option) has no effect without --images; give labelled images too")
    }
  }

  func run() throws {
    try common.apply()
    try Outputs.check(output)
    try Outputs.keep(
      [before, after, control, history, controlHistory, model, images, classes, attack.trigger]
        .compactMap(\.self) + preparation.files,
      from: output)
    var contents = ReportContents()
    if let title { contents.title = title }
    contents.subtitle = subtitle
    contents.version = libraryVersion
    contents.before = try evaluation(before)
    contents.after = try evaluation(after)
    contents.control = try evaluation(control)
    contents.history = try trainingHistory(history)
    contents.controlHistory = try trainingHistory(controlHistory)
    let loaded = try model.map { (path) throws(CLIPError) in
      try LoadedModel.load(path, preprocessing: preparation.preprocessing)
    }
    contents.model = try loaded.map { (model) throws(CLIPError) in try model.description() }
    contents.examples = try examples(as: loaded?.model.configuration)
    for notice in contents.notices { ToolMessage.print(notice) }
    let report = try contents.report()
    try report.write(to: output)
    try printResult(common.json ? report.json.serialized(pretty: true) : "wrote \(output)")
  }

  private func evaluation(_ path: String?) throws(CLIPError) -> EvaluationResult? {
    guard let path else { return nil }
    return try EvaluationResult(json: try readJSON(path), name: path)
  }

  /// Shows the trigger on images as a model prepares them.
  private func examples(as model: CLIPConfiguration?) throws(CLIPError) -> [RunReport.Example] {
    guard let images, let classes, let trigger = try attack.load(seed: 0) else { return [] }
    let names = try TextList.classes(path: classes)
    let side = imageSize ?? model?.vision?.imageSize ?? 224
    let given = model == nil ? try preparation.read(imageSize: side) : nil
    return try RunReport.examples(
      of: try PairDataset.reporting([images], writing: [output]), classes: names, trigger: trigger,
      target: try target.map { (name) throws(CLIPError) in
        try ClassNames(names).index(named: name)
      }, imageSize: side,
      preprocessing: model?.preprocessing ?? given ?? ImagePreprocessing())
  }

  private func trainingHistory(_ path: String?) throws(CLIPError) -> SanitizeHistory? {
    guard let path else { return nil }
    return try SanitizeHistory(json: try readJSON(path), name: path)
  }

  private func readJSON(_ path: String) throws(CLIPError) -> JSONValue {
    let bytes = try FileContents.read(path, limit: 256 << 20)
    return try JSONValue.parse(String(decoding: bytes, as: UTF8.self), name: path)
  }
}
