internal import ArgumentParser
internal import CleanCLIPKit

/// `cleanclip check model`.
struct CheckModelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model",
    abstract: "Look for a backdoor in the towers of a checkpoint.",
    discussion: """
      Searches for the smallest patch, faint pattern and warp that make images of anything look \
      alike to the image tower, and compares their sizes with those that clean checkpoints, or \
      other targets in the same checkpoint, need. With --classes, also for the smallest that make \
      images of anything read as one class, for each of them. A few hundred unlabelled images \
      are enough; without any, images are drawn. --precision auto is faster on large towers.
      """)

  @OptionGroup var model: ModelArguments

  @Option(
    name: .long, parsing: .upToNextOption,
    help: "Folders, csv files or tar shards of unlabelled images.")
  var images: [String] = []

  @OptionGroup var texts: ClassArguments

  @Option(
    name: .long, parsing: .upToNextOption,
    help: "Clean checkpoints of the same architecture.")
  var references: [String] = []

  @Option(
    name: .long, parsing: .upToNextOption,
    help: "What to search: patch, additive, warp; by default all.")
  var kinds: [String] = []

  @Option(name: .long, help: "Images used at most.")
  var imageLimit = ModelCheckOptions().imageLimit

  @Option(name: .long, help: "Steps of a search at most.")
  var steps = ModelCheckOptions().search.steps

  @Option(name: .long, help: "Images of a step.")
  var batchSize = ModelCheckOptions().search.batchSize

  @Option(
    name: .long,
    help: "Searches of the same checkpoint in each space as a reference, without --references.")
  var referenceSearches = ModelCheckOptions().referenceSearches

  @Option(
    name: .long,
    help: "Classes that are searched for one by one at most, of --classes; 0 or 4 to 1000.")
  var classSearches = ModelCheckOptions().classSearches

  @Flag(name: .long, help: "Check the text tower too.")
  var text = false

  @Flag(inversion: .prefixedNo, help: "Look for predicted targets among common nouns too.")
  var nouns = true

  @Option(name: .long, help: "Write the recovered triggers as PNG files with this prefix.")
  var triggers: String?

  @OptionGroup var kept: StateOptions

  @OptionGroup var check: CheckOptions

  @OptionGroup var common: CommonOptions

  func validate() throws {
    for kind in kinds where TriggerKind(rawValue: kind) == nil {
      throw ValidationError("--kinds has '\(kind)'; expected patch, additive or warp")
    }
  }

  func run() throws {
    common.apply()
    var verdict = Verdict.clean
    try cleanclip_tool.run { () throws(CLIPError) in
      Interruption.listen()
      let loaded = try model.load().model
      let checker = try imageCheck(loaded)
      var result = try checkImages(checker)
      if text { result.textTower = try checkText(checker) }
      verdict = result.verdict
      if let path = check.report {
        try AtomicFile.write(
          try result.html(model: model.model, version: CleanCLIPCommand.version), to: path)
      }
      if let triggers { try write(result, prefix: triggers) }
      print(result)
    }
    try check.exit(verdict)
  }

  private func imageCheck(_ loaded: CLIPModel) throws(CLIPError) -> ModelCheck {
    var check = ModelCheck(loaded)
    check.options.search.steps = steps
    check.options.search.batchSize = batchSize
    check.options.search.seed = self.check.seed
    check.options.search.precision = self.check.precision.dtype
    check.options.referenceSearches = referenceSearches
    check.options.classSearches = classSearches
    check.options.imageLimit = imageLimit
    check.options.stateDirectory = kept.stateDirectory
    check.options.resume = kept.resume
    if !kinds.isEmpty { check.options.kinds = kinds.compactMap(TriggerKind.init(rawValue:)) }
    for path in references { check.cleanReferences.append(try LoadedModel.load(path).model) }
    if loaded.configuration.text != nil { try addTexts(to: &check, loaded) }
    return check
  }

  private func checkImages(_ check: ModelCheck) throws(CLIPError) -> ModelCheckResult {
    var pixels: Tensor?
    if !images.isEmpty {
      pixels = try ImageSample.read(
        try PairDataset.open(images), count: imageLimit,
        imageSize: try FeatureEncoder(check.model).imageSize(), seed: self.check.seed)
    }
    var line = ProgressLine("check model", isQuiet: common.quiet)
    return try kept.hinting { () throws(CLIPError) in
      try check.run(images: pixels) { position in
        line.update(
          position.search * position.steps + position.step,
          of: position.searches * position.steps, position.phase)
        return !Interruption.wasRequested
      }
    }
  }

  private func addTexts(to check: inout ModelCheck, _ loaded: CLIPModel) throws(CLIPError) {
    let given = try texts.load()
    guard given != nil || nouns else { return }
    let tokenizer = try model.tokenizer()
    if let given {
      check.classes = try TextVocabulary(
        names: given.classes, templates: given.templates, model: loaded, tokenizer: tokenizer)
    }
    if nouns {
      var line = ProgressLine("embed nouns", isQuiet: common.quiet)
      check.nouns = try TextVocabulary(
        names: CommonNouns.all, model: loaded, tokenizer: tokenizer
      ) { done in
        line.update(done, of: CommonNouns.all.count)
        return !Interruption.wasRequested
      }
    }
  }

  private func checkText(_ images: ModelCheck) throws(CLIPError) -> TextCheckResult {
    var check = TextCheck(images.model)
    check.options.seed = self.check.seed
    check.options.precision = self.check.precision.dtype
    check.anchor = images.cleanReferences.first
    let tokenizer = try model.tokenizer()
    check.tokenizer = tokenizer
    let captions = try check.plainCaptions(tokenizer: tokenizer)
    var line = ProgressLine("check text", isQuiet: common.quiet)
    return try check.run(captions: captions, vocabulary: images.classes ?? images.nouns) {
      done, all in
      line.update(done, of: all)
      return !Interruption.wasRequested
    }
  }

  private func write(_ result: ModelCheckResult, prefix: String) throws(CLIPError) {
    for finding in result.findings {
      guard let trigger = finding.search.trigger else { continue }
      try AtomicFile.write(
        try ImageEncoder.png(trigger.image),
        to: "\(prefix)\(finding.kind.rawValue)\(finding.target == nil ? "" : "-class").png")
    }
  }

  private func print(_ result: ModelCheckResult) {
    if common.json { return Swift.print(result.json.serialized(pretty: true)) }
    Swift.print("verdict: \(result.verdict.rawValue) (p = \(significant(result.pValue)))")
    for finding in result.findings {
      let size =
        finding.search.trigger == nil
        ? "none found" : "size \(significant(Double(finding.search.size)))"
      let others = finding.reference.sizes.map { significant(Double($0)) }
      Swift.print(
        "  \(finding.name.padded(to: 9)) \(size), reference "
          + others.joined(separator: ", ") + "; p = \(significant(finding.pValue))")
      if let target = finding.classes ?? finding.nouns, finding.verdict != .clean {
        Swift.print(
          "            leads to "
            + target.entries.prefix(5).map { "'\($0.text)'" }.joined(separator: ", ")
            + "; turns \(percent(Double(target.successRate))) of the images")
      }
    }
    if let text = result.textTower {
      let others = text.reference.sizes.map { significant(Double($0)) }
      Swift.print(
        "text tower: \(text.verdict.rawValue) (p = \(significant(text.pValue))); strongest word "
          + "'\(text.text)' leaves \(significant(Double(text.size))), reference "
          + others.joined(separator: ", "))
    }
    Swift.print(result.explanation)
  }
}
