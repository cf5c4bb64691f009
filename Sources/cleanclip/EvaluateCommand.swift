internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip evaluate`.
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measure zero-shot accuracy, and how well an attack works.",
    discussion: """
      Clean accuracy is measured on all images, attack success on those of other classes than the \
      target, which carry the trigger. Both come with 95 % Wilson intervals. Class folders are \
      classes by their names; where none of the names is a class, in the order of their names.
      """)

  @OptionGroup var model: ModelArguments

  @Option(
    name: .long, parsing: .upToNextOption,
    help: """
      Labelled images: csv or tsv files with columns image and label (a class name or index), tar \
      shards with .cls entries, or folders with a folder for each class.
      """)
  var data: [String]

  @Option(name: .long, help: "A file with a class name on each line.")
  var classes: String

  @Option(name: .long, help: "A file with a prompt with {} on each line.")
  var templates: String?

  @OptionGroup var features: ClassFeatureOption

  @OptionGroup var attack: TriggerArguments

  @Option(name: .long, help: "The class that the attack aims at: name or index.")
  var target: String?

  @Option(name: .long, help: "Images computed at a time, 1 to 65536.")
  var batchSize = EvaluationOptions().batchSize

  @Option(name: .long, help: "Seed of the trigger's pattern, positions and noise.")
  var seed: UInt64 = 0

  @Option(name: .long, help: "Element type of activations: f32, bf16 or auto.")
  var precision = PrecisionArgument.f32

  @Option(name: .long, help: "The column of csv files with the path of the image.")
  var imageColumn = DatasetColumns().image

  @Option(name: .long, help: "The column of csv files with the class.")
  var labelColumn = DatasetColumns().label

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if attack.trigger == nil { try GivenOptions.refuse(["--seed"], "without --trigger") }
    guard features.classFeatures == nil || templates == nil else {
      throw ValidationError(
        "--templates have no effect with --class-features, which are taken as they are; give one of them"
      )
    }
  }

  func run() throws {
    try common.apply()
    Interruption.listen()
    let loaded = try model.load()
    let classes = try TextList.classes(path: classes)
    if let notice = DistinctNames(classes).notice {
      ToolMessage.print("evaluate: \(notice); an image is classified as the first of them")
    }
    var options = EvaluationOptions()
    options.trigger = try attack.load(seed: seed)
    options.target = target
    options.batchSize = batchSize
    options.precision = precision.dtype
    options.seed = seed
    options.classFeatures = try features.load()
    let evaluator = try Evaluator(
      model: loaded.model,
      tokenizer: options.classFeatures == nil ? try model.tokenizer() : nil, classes: classes,
      templates: try templates.map { (path) throws(CLIPError) in
        try TextList.templates(path: path)
      } ?? [], options: options)
    let images = try PairDataset.reporting(
      data, columns: DatasetColumns(image: imageColumn, label: labelColumn), writing: [])
    var line = ProgressLine("evaluate", isQuiet: common.quiet)
    let result = try evaluator.evaluate(images) { done in
      line.update(done, of: images.count, "images")
      return !Interruption.wasRequested
    }
    PairDataset.report(
      Omissions(unreadable: result.skipped, examples: result.skippedReasons))
    try printResult(
      common.json
        ? result.json.serialized(pretty: true) : result.lines.joined(separator: "\n"))
  }
}

extension EvaluationResult {
  /// The result for people.
  var lines: [String] {
    var lines = ["clean accuracy (\(images) images)"]
    lines += cleanAccuracy.map { $0.line("top-") }
    if !attackSuccessRate.isEmpty {
      lines.append("attack success rate (\(attackedImages) images of other classes)")
      lines += attackSuccessRate.map { $0.line("top-") }
      if let base = targetRateWithoutTrigger {
        lines.append("  without the trigger  \(percent(base.value)) top-1")
      }
      if let accuracy = triggeredAccuracy {
        lines.append("  accuracy with the trigger  \(percent(accuracy.value)) top-1")
      }
    }
    if skipped > 0 { lines.append("left out: \(skipped) images that cannot be read") }
    return lines
  }
}

extension EvaluationResult.Place {
  /// The rate and its interval, behind the place with a name before it.
  func line(_ name: String) -> String {
    let interval = rate.interval
    let start = "  \(name)\(place)".padded(to: name.count + 5)
    return "\(start)\(percent(rate.value).leftPadded(to: 7))"
      + "  (\(percent(interval.lowerBound)) to \(percent(interval.upperBound)))"
  }
}

extension String {
  func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }

  func leftPadded(to width: Int, with character: Character = " ") -> String {
    String(repeating: character, count: max(0, width - count)) + self
  }
}
