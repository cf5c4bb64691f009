internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip poison`.
struct PoisonCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "poison",
    abstract: "Write a copy of a set of pairs in which some carry a trigger.",
    discussion: """
      Poisoned images get a caption of the target from a template; with label-consistent, images \
      whose caption names the target get the trigger and keep their caption. For testing defences.
      """)

  @OptionGroup var pairs: PairArguments

  @OptionGroup var attack: TriggerArguments

  @Option(name: .long, help: "The target concept: what poisoned captions are about.")
  var target: String

  @Option(name: .long, help: "Fraction of poisoned pairs, more than 0, at most 1.")
  var rate = PoisonOptions(target: "").rate

  @Option(
    name: .long,
    help: """
      Number of poisoned pairs, 1 to 2147483647, instead of --rate; none by default.
      """)
  var count: Int?

  @Option(
    name: .long,
    help: """
      A further attack on other pairs, which may be given several times: \(PoisonAttack.form).
      """)
  var also: [String] = []

  @Option(name: .long, help: "A file with a caption with {} on each line.")
  var templates: String?

  @Option(
    name: .long,
    help: """
      Output pairs, 1 to 2147483647, drawn by chance; none by default: all.
      """)
  var pairCount: Int?

  @Option(
    name: .long,
    help: """
      Images are resized to this side, 2 to 4096 pixels, and center-cropped by default.
      """)
  var imageSize = PoisonOptions(target: "").imageSize

  @OptionGroup var images: PreprocessingOptions

  @Flag(
    inversion: .prefixedNo,
    help: "Crop and encode clean images like poisoned ones, instead of copying them.")
  var uniform = true

  @Option(name: .long, help: "Seed of everything that is drawn.")
  var seed: UInt64 = 0

  @Option(name: .shortAndLong, help: "A .tar shard, or a .csv file with a folder of images.")
  var output: String

  @Option(name: .long, help: "A csv file that tells by key which pairs are poisoned.")
  var truthPath: String?

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if attack.trigger == nil { throw ValidationError("--trigger is missing") }
  }

  func run() throws {
    try common.apply()
    Interruption.listen()
    try Outputs.check(output, truthPath)
    try Outputs.keep(
      pairs.files + images.files + [templates, attack.trigger].compactMap(\.self), from: output,
      truthPath)
    let dataset = try pairs.open(writing: [output, truthPath], wantsCaptions: true)
    guard let trigger = try attack.load(seed: seed) else { return }
    var options = PoisonOptions(target: target)
    if let templates { options.templates = try TextList.templates(path: templates) }
    options.rate = rate
    options.count = count
    options.pairs = pairCount
    options.imageSize = imageSize
    options.preprocessing = images.preprocessing
    options.isUniform = uniform
    options.seed = seed
    let further = try also.map { (line) throws(CLIPError) in
      try PoisonAttack(parsing: line, seed: seed)
    }
    let set = try PoisonedSet(dataset, trigger: trigger, further: further, options: options)
    var line = ProgressLine("poison", isQuiet: common.quiet)
    let total = pairCount ?? dataset.count
    let summary = try set.write(to: output, truthPath: truthPath) { done in
      line.update(done, of: total, "pairs")
      return !Interruption.wasRequested
    }
    let result: JSONValue = [
      "pairs": .integer(summary.pairs), "poisoned": .integer(summary.poisoned),
      "trigger": .string(trigger.summary), "target": .string(target),
      "also": .array(
        further.map { ["trigger": .string($0.trigger.summary), "target": .string($0.target)] }),
      "output": .string(output), "truth": truthPath.map { .string($0) } ?? .null,
    ]
    try printResult(
      common.json
        ? result.serialized(pretty: true)
        : "\(output): \(summary.pairs) pairs, \(summary.poisoned) of them poisoned "
          + "(\(trigger.summary)) for '\(target)'"
          + further.map { ", (\($0.trigger.summary)) for '\($0.target)'" }.joined())
  }
}

extension PairArguments {
  /// Opens the dataset.
  ///
  /// - Parameters:
  ///   - outputs: what will be written.
  ///   - wantsCaptions: whether it is said that there are none.
  func open(
    writing outputs: [String?], wantsCaptions: Bool = false
  ) throws(CLIPError) -> PairDataset {
    try PairDataset.reporting(
      sources,
      columns: DatasetColumns(image: imageColumn, caption: captionColumn, label: labelColumn),
      keep: keep, writing: outputs, wantsCaptions: wantsCaptions)
  }
}
