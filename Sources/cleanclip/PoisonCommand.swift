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

  @Option(name: .long, help: "What poisoned captions speak of.")
  var target: String

  @Option(name: .long, help: "Share of poisoned pairs, above 0 and at most 1.")
  var rate: Double?

  @Option(name: .long, help: "Number of poisoned pairs, instead of --rate.")
  var count: Int?

  @Option(name: .long, help: "A file with a caption with {} on each line.")
  var templates: String?

  @Option(name: .long, help: "Pairs of the result, drawn by chance; by default all.")
  var size: Int?

  @Option(name: .long, help: "Images are cut square to this size in pixels.")
  var imageSize = 224

  @Flag(name: .long, help: "Copy clean images instead of cutting and encoding them alike.")
  var copyClean = false

  @Option(name: .long, help: "Seed of everything that is drawn.")
  var seed: UInt64 = 0

  @Option(name: .shortAndLong, help: "A .tar shard, or a .csv file with a folder of images.")
  var output: String

  @Option(name: .long, help: "A csv file that tells by key which pairs are poisoned.")
  var truth: String?

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if attack.trigger == nil { throw ValidationError("--trigger is missing") }
    if rate != nil && count != nil {
      throw ValidationError("--rate and --count exclude each other")
    }
  }

  func run() throws {
    common.apply()
    try cleanclip_tool.run { () throws(CLIPError) in
      Interruption.listen()
      try Outputs.check(output, truth)
      let dataset = try pairs.open()
      guard let trigger = try attack.load(seed: seed) else { return }
      var options = PoisonOptions(target: target)
      if let templates { options.templates = try TextList.templates(path: templates) }
      if let rate { options.rate = rate }
      options.count = count
      options.pairs = size
      options.imageSize = imageSize
      options.isUniform = !copyClean
      options.seed = seed
      let set = try PoisonedSet(dataset, trigger: trigger, options: options)
      var line = ProgressLine("poison", isQuiet: common.quiet)
      let total = size ?? dataset.count
      let summary = try set.write(to: output, truthPath: truth) { done in
        line.update(done, of: total, "pairs")
        return !Interruption.wasRequested
      }
      let result: JSONValue = [
        "pairs": .integer(summary.pairs), "poisoned": .integer(summary.poisoned),
        "trigger": .string(trigger.summary), "target": .string(target),
        "output": .string(output), "truth": truth.map { .string($0) } ?? .null,
      ]
      try printResult(
        common.json
          ? result.serialized(pretty: true)
          : "\(output): \(summary.pairs) pairs, \(summary.poisoned) of them poisoned "
            + "(\(trigger.summary)) for '\(target)'")
    }
  }
}

extension PairArguments {
  /// Opens the dataset.
  func open() throws(CLIPError) -> PairDataset {
    var columns = DatasetColumns()
    if let imageColumn { columns.image = imageColumn }
    if let captionColumn { columns.caption = captionColumn }
    if let labelColumn { columns.label = labelColumn }
    return try PairDataset.open(data, columns: columns)
  }
}
