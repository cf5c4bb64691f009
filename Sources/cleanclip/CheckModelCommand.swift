internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

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
    help: "Checkpoints of the same architecture that are known to be sound.")
  var cleanReferences: [String] = []

  @Option(
    name: .long, parsing: .upToNextOption,
    help: "What to search: patch, additive, warp; by default all.")
  var kinds: [String] = []

  @Option(name: .long, help: "Images used at most.")
  var imageLimit = 256

  @Option(name: .long, help: "Steps of a search at most.")
  var steps = 200

  @Option(name: .long, help: "Images of a step.")
  var batchSize = 12

  @Option(name: .long, help: "Searches of the same checkpoint as a reference, without sound ones.")
  var ownSearches = 3

  @Option(
    name: .long,
    help: "Classes that are searched for one by one at most; 0: none. Needs --classes.")
  var classSearches = 10

  @Flag(name: .long, help: "Check the text tower too.")
  var text = false

  @Flag(name: .long, help: "Leave out the readout against common nouns.")
  var noNouns = false

  @Option(name: .long, help: "Write the recovered triggers as PNG files with this prefix.")
  var triggers: String?

  @OptionGroup var kept: StateOptions

  @OptionGroup var check: CheckOptions

  @OptionGroup var common: CommonOptions

  func validate() throws {
    for kind in kinds where TriggerKind(rawValue: kind) == nil {
      throw ValidationError("--kinds has '\(kind)'; expected patch, additive or warp")
    }
    guard (16...100_000).contains(imageLimit), (1...100_000).contains(steps),
      (2...4096).contains(batchSize), (2...100).contains(ownSearches),
      classSearches == 0 || (ModelCheck.fewestClasses...1000).contains(classSearches)
    else {
      throw ValidationError(
        "numbers are out of range; expected 16 to 100000 --image-limit, 1 to 100000 --steps, "
          + "2 to 4096 --batch-size, 2 to 100 --own-searches, and 0 or "
          + "\(ModelCheck.fewestClasses) to 1000 --class-searches")
    }
  }

  func run() throws {
    common.apply()
    var verdict = Verdict.clean
    try cleanclip_tool.run { () throws(CLIPError) in
      Interruption.listen()
      try Outputs.check(check.report, triggers.map { $0 + "patch.png" }, folder: kept.state)
      let loaded = try model.load().model
      let checker = try imageCheck(loaded)
      var result = try checkImages(checker)
      if text { result.textTower = try checkText(checker) }
      verdict = result.verdict
      var outputs = Outputs()
      outputs.write { () throws(CLIPError) in try print(result) }
      outputs.write(check.report) { (path) throws(CLIPError) in
        try AtomicFile.write(
          try result.html(model: model.model, version: libraryVersion), to: path)
      }
      outputs.write(triggers) { (prefix) throws(CLIPError) in
        try write(result, prefix: prefix)
      }
      try outputs.finish()
    }
    try check.exit(verdict)
  }

  private func imageCheck(_ loaded: CLIPModel) throws(CLIPError) -> ModelCheck {
    var check = ModelCheck(loaded)
    check.options.search.steps = steps
    check.options.search.batchSize = batchSize
    check.options.search.seed = self.check.seed
    check.options.search.precision = self.check.precision.dtype
    check.options.ownSearches = ownSearches
    check.options.classSearches = classSearches
    check.options.imageLimit = imageLimit
    check.options.stateDirectory = kept.state
    check.options.resume = kept.resume
    if !kinds.isEmpty { check.options.kinds = kinds.compactMap(TriggerKind.init(rawValue:)) }
    for path in cleanReferences { check.cleanReferences.append(try LoadedModel.load(path).model) }
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
    guard given != nil || !noNouns else { return }
    let tokenizer = try model.tokenizer()
    if let given {
      check.classes = try TextVocabulary(
        names: given.classes, templates: given.templates, model: loaded, tokenizer: tokenizer)
    }
    if !noNouns {
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

  private func print(_ result: ModelCheckResult) throws(CLIPError) {
    if common.json { return try printResult(result.json.serialized(pretty: true)) }
    var lines = ["verdict: \(result.verdict.rawValue) (p = \(significant(result.pValue)))"]
    for finding in result.findings {
      let size =
        finding.search.trigger == nil
        ? "none found" : "size \(significant(Double(finding.search.size)))"
      let others = finding.reference.sizes.map { significant(Double($0)) }
      lines.append(
        "  \(finding.name.padded(to: 9)) \(size), reference "
          + others.joined(separator: ", ") + "; p = \(significant(finding.pValue))")
      if let target = finding.classes ?? finding.nouns, finding.verdict != .clean {
        lines.append(
          "            leads to "
            + target.entries.prefix(5).map { "'\($0.text)'" }.joined(separator: ", ")
            + "; turns \(percent(Double(target.successRate))) of the images")
      }
    }
    if let text = result.textTower {
      let others = text.reference.sizes.map { significant(Double($0)) }
      lines.append(
        "text tower: \(text.verdict.rawValue) (p = \(significant(text.pValue))); strongest word "
          + "'\(text.text)' leaves \(significant(Double(text.size))), reference "
          + others.joined(separator: ", "))
    }
    lines.append(result.explanation)
    try printResult(lines.joined(separator: "\n"))
  }
}
