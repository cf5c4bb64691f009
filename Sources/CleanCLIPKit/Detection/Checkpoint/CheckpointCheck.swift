/// The check of a checkpoint: of its image tower and, on request, of its text tower.
package struct CheckpointCheck {
  package let model: CLIPModel
  private let subject: LoadedModel
  package var options = ModelCheckOptions()
  /// Unlabelled images; `nil` makes synthetic ones.
  package var images: PairDataset?
  /// Reads classes, nouns and words; without one, none of them.
  package var tokenizer: Tokenizer?
  /// Classes that are searched for and that targets are read out of; may be empty.
  package var classes: [String] = []
  /// Prompts for the classes; the usual one when there are none.
  package var templates: [PromptTemplate] = []
  /// Of the classes, `[classes, E]`, in place of prompts; `nil` embeds prompts.
  package var classFeatures: Tensor?
  /// Whether targets are read out of common nouns too.
  package var usesNouns = true
  /// Whether the text tower is checked too.
  package var checksText = false
  /// Checkpoints of the same architecture that are known to be clean.
  package var cleanReferences: [CLIPModel] = []
  /// Ranks that make the same check and divide the searches of the image tower among them.
  package var communicator = Communicator.single

  /// Where the check is.
  package enum Progress: Equatable, Sendable {
    /// Common nouns are embedded.
    case nouns(done: Int, total: Int)
    /// Images are read.
    case reading(done: Int, total: Int)
    /// The image tower is searched.
    case images(ModelCheckProgress)
    /// Words are tried in the text tower.
    case words(done: Int, total: Int)
  }

  package init(_ subject: LoadedModel) {
    model = subject.model
    self.subject = subject
  }

  /// What is worth knowing before the check, in sentences for people.
  package var notices: [String] {
    [DistinctNames(classes).notice].compactMap(\.self).map { "check model: " + $0 }
  }

  /// Checks the towers, one after the other.
  ///
  /// - Parameter progress: called after each step; `false` cancels.
  /// - Throws: `invalidArgument` for classes without features or a check of the text tower without a
  ///   tokenizer; `unsupported` for either without a text tower; see `TextVocabulary`, `ModelCheck.run` and `TextCheck.run`.
  package func run(progress: (Progress) -> Bool) throws(CLIPError) -> ModelCheckResult {
    try communicator.together { () throws(CLIPError) in try runOnRank(progress) }
  }

  private func runOnRank(_ progress: (Progress) -> Bool) throws(CLIPError) -> ModelCheckResult {
    try options.validate()
    try checkTexts()
    // One state for all ranks.
    return try StateFolder(
      communicator.rank == 0 ? options.stateDirectory : nil, of: .modelCheck,
      resume: options.resume
    ).running { () throws(CLIPError) in try checked(progress) }
  }

  private func checked(_ progress: (Progress) -> Bool) throws(CLIPError) -> ModelCheckResult {
    // A file that cannot be read is told before the searches, not after them.
    let files = try subject.files()
    var check = ModelCheck(model)
    check.options = options
    check.cleanReferences = cleanReferences
    check.communicator = communicator
    try addVocabularies(to: &check, progress)
    var sample: (pixels: Tensor, omissions: Omissions)?
    if let images {
      let side = try FeatureEncoder(model).imageSize()
      let count = min(images.count, try ImageSample.limit(options.imageLimit, imageSize: side))
      sample = try ImageSample.read(
        images, count: count, imageSize: side, preprocessing: model.configuration.preprocessing,
        seed: options.search.seed
      ) { progress(.reading(done: $0, total: count)) }
    }
    var result = try check.run(images: sample?.pixels) { progress(.images($0)) }
    result.omissions = sample?.omissions ?? Omissions()
    result.files = files
    if checksText, let tokenizer {
      result.textTower = try textCheck(tokenizer).run(
        captions: try textCheck(tokenizer).plainCaptions(tokenizer: tokenizer),
        vocabulary: check.classes ?? check.nouns
      ) { progress(.words(done: $0, total: $1)) }
    }
    return result
  }

  private func checkTexts() throws(CLIPError) {
    if classFeatures != nil {
      try ClassFeatures.checkGiven(names: classes.count, templates: templates.count)
    }
    guard templates.isEmpty || !classes.isEmpty else {
      throw CLIPError(
        .invalidArgument,
        "options: templates have no effect without classes; expected classes, got none")
    }
    guard checksText || (!classes.isEmpty && classFeatures == nil) else { return }
    _ = try FeatureEncoder(model).textConfiguration()
    guard tokenizer != nil else {
      throw CLIPError(
        .invalidArgument,
        "check model: classes and the check of the text tower need a tokenizer; expected one, "
          + "got none; or give features of the classes")
    }
  }

  private func addVocabularies(
    to check: inout ModelCheck, _ progress: (Progress) -> Bool
  ) throws(CLIPError) {
    if !classes.isEmpty || classFeatures != nil {
      check.classes = try TextVocabulary(
        classes: classes, templates: templates, features: classFeatures, model: model,
        tokenizer: tokenizer)
    }
    guard usesNouns, let tokenizer, model.configuration.text != nil else { return }
    check.nouns = try TextVocabulary(
      names: CommonNouns.all, model: model, tokenizer: tokenizer
    ) { progress(.nouns(done: $0, total: CommonNouns.all.count)) }
  }

  private func textCheck(_ tokenizer: Tokenizer) -> TextCheck {
    var check = TextCheck(model)
    check.options.seed = options.search.seed
    check.options.precision = options.search.precision
    check.anchor = cleanReferences.first
    check.tokenizer = tokenizer
    return check
  }
}
