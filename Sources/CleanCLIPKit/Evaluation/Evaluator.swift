/// What is measured besides clean accuracy, and how.
package struct EvaluationOptions {
  /// Measures attack success too; needs `target`.
  package var trigger: Trigger?
  /// Name or index of the class that the attack aims at.
  package var target: String?
  /// Of the classes, `[classes, E]`, in place of prompts; `nil` embeds prompts.
  package var classFeatures: Tensor?
  /// Images decoded and encoded at a time.
  package var batchSize = FeatureEncoder.defaultBatchSize
  package var precision: DType = .f32
  /// Draws the trigger's positions and noise: image `i` has the same in every run.
  package var seed: UInt64 = 0
  /// Rows that may be unreadable before the evaluation gives up.
  package var skipLimit = 100

  package init() {}

  static let rules: [OptionRule<EvaluationOptions>] = [
    OptionRule("batch_size", \.batchSize, .range(1...FeatureEncoder.batchLimit))
  ]

  /// Checks every option.
  ///
  /// - Throws: `invalidArgument` naming the option.
  package func validate() throws(CLIPError) {
    try Self.rules.check(self)
    let missing = trigger == nil ? "trigger" : "target"
    guard (trigger == nil) == (target == nil) else {
      throw CLIPError(
        .invalidArgument,
        "options: \(missing) is missing; expected both trigger and target, the class that it aims "
          + "at, or neither, got no \(missing)")
    }
  }
}

/// Measures zero-shot accuracy and the success of an attack.
///
/// ```
/// CA_k  = #{x : label in top-k(x)} / #{x}
/// ASR_k = #{x : label ≠ target, target in top-k(trigger(x))} / #{x : label ≠ target}
/// TA    = #{x : label ≠ target, label = top-1(trigger(x))}   / #{x : label ≠ target}
/// ```
///
/// Images of the target class are in neither part of the last two. TA, the accuracy of triggered images, is
/// what a cleaned model gives back: a low ASR alone may be reached by classifying them as anything. The `--asr` of CleanCLIP's
/// published code instead compares triggered images with their true label.
package struct Evaluator {
  private let model: CLIPModel
  private let classifier: ZeroShotClassifier
  private let templateCount: Int
  private let preprocessor: ImagePreprocessor
  private let options: EvaluationOptions
  private let target: Int?

  /// Encodes the prompts.
  ///
  /// - Parameters:
  ///   - tokenizer: needed without features of the classes.
  ///   - templates: the usual one when there are none; none with features of the classes.
  /// - Throws: `invalidArgument` for classes, templates, options or a missing tokenizer; `unsupported`
  ///   when the model lacks a tower; `state` when its text features are not numbers; see
  ///   `TextVocabulary`.
  package init(
    model: CLIPModel, tokenizer: Tokenizer?, classes: [String], templates: [PromptTemplate],
    options: EvaluationOptions = EvaluationOptions()
  ) throws(CLIPError) {
    guard let vision = model.configuration.vision else {
      throw CLIPError(
        .unsupported, "evaluate: the model has no image tower; expected both towers, got text only")
    }
    try options.validate()
    target = try options.target.map { (name) throws(CLIPError) in
      try ClassNames(classes).index(named: name)
    }
    if let features = options.classFeatures {
      classifier = try ZeroShotClassifier(
        model: model, classes: classes, features: features, templates: templates)
      templateCount = 0
    } else {
      guard let tokenizer else {
        throw CLIPError(
          .invalidArgument,
          "evaluate: classes need a tokenizer; expected one, got none; or give features of the "
            + "classes")
      }
      let prompts = PromptTemplate.given(templates)
      classifier = try ZeroShotClassifier(
        model: model, tokenizer: tokenizer, classes: classes, templates: prompts,
        precision: options.precision)
      templateCount = prompts.count
    }
    preprocessor = ImagePreprocessor(
      imageSize: vision.imageSize, model.configuration.preprocessing)
    self.model = model
    self.options = options
  }

  private struct Counts {
    var clean: TopCounts
    var attacked: TopCounts
    var targetWithoutTrigger = 0
    var triggeredCorrect = 0
    /// Correct and all images of each class.
    var classes: [(correct: Int, total: Int)]
    var skippedReasons: [String] = []
    var skipped = 0
  }

  /// Classifies all images.
  ///
  /// - Parameters:
  ///   - dataset: images with labels: names or indices in tables, indices in `.cls` entries and from
  ///     hosts, class folders.
  ///   - progress: called with the number of images done; `false` ends the evaluation.
  /// - Throws: `format` when too many images cannot be read or none can; `invalidArgument` for a
  ///   label that is no class, or no labels; `cancelled`; `state` when the model's features are not
  ///   numbers.
  package func evaluate(
    _ dataset: PairDataset, progress: (Int) -> Bool = { _ in true }
  ) throws(CLIPError) -> EvaluationResult {
    guard dataset.hasLabels else {
      throw CLIPError(
        .invalidArgument,
        "evaluate: the data has no labels; expected a label column, .cls entries or class folders, "
          + "got none; name the column in the options")
    }
    let names = try ClassNames(classifier.classes, of: dataset)
    let count = classifier.classes.count
    var counts = Counts(
      clean: TopCounts(classes: count), attacked: TopCounts(classes: count),
      classes: Array(repeating: (0, 0), count: count))
    let batchSize = min(options.batchSize, PixelMemory.images(side: preprocessor.imageSize))
    var start = 0
    while start < dataset.count {
      let range = start..<min(dataset.count, start + batchSize)
      try evaluate(dataset, range, names, &counts)
      start = range.upperBound
      guard progress(start) else {
        throw CLIPError(
          .cancelled, "evaluate: cancelled after \(start) of \(dataset.count) images")
      }
    }
    guard counts.clean.total > 0 else {
      throw CLIPError(
        .format,
        "evaluate: no image to classify; expected at least one, got \(dataset.count) rows, "
          + "\(counts.skipped) of them unreadable"
          + (counts.skippedReasons.first.map { " (\($0))" } ?? ""))
    }
    var result = result(counts)
    result.omissions = dataset.omissions
    result.omissions.add(unreadable: counts.skipped, examples: counts.skippedReasons)
    return result
  }

  private func evaluate(
    _ dataset: PairDataset, _ range: Range<Int>, _ names: ClassNames, _ counts: inout Counts
  ) throws(CLIPError) {
    var clean: [RGBImage] = []
    var labels: [Int] = []
    var attacked: [RGBImage] = []
    /// For each triggered image, its place among the clean ones.
    var origins: [Int] = []
    for index in range {
      let row: CaptionedImage
      let decoded: RGBImage
      do throws(CLIPError) {
        row = try dataset.row(at: index)
        decoded = try row.decoded().image
      } catch {
        try skip(error, &counts)
        continue
      }
      guard let given = row.label else {
        try skip(Self.withoutLabel(row.key), &counts)
        continue
      }
      let label = try names.index(of: given, key: row.key)
      let image = preprocessor.resizedAndCropped(decoded)
      if let trigger = options.trigger, label != target {
        attacked.append(try trigger.applied(to: image, seed: options.seed, index: index))
        origins.append(clean.count)
      }
      clean.append(image)
      labels.append(label)
    }
    let scores = try scores(of: clean)
    var predictsTarget = [Bool](repeating: false, count: clean.count)
    for (index, label) in labels.enumerated() {
      let row = row(index, of: scores)
      let place = TopCounts.rank(of: label, in: row)
      counts.clean.add(rank: place)
      counts.classes[label].total += 1
      if place == 0 { counts.classes[label].correct += 1 }
      if let target { predictsTarget[index] = TopCounts.rank(of: target, in: row) == 0 }
    }
    guard let target, !attacked.isEmpty else { return }
    let triggered = try self.scores(of: attacked)
    for (index, origin) in origins.enumerated() {
      let row = row(index, of: triggered)
      counts.attacked.add(rank: TopCounts.rank(of: target, in: row))
      if TopCounts.rank(of: labels[origin], in: row) == 0 { counts.triggeredCorrect += 1 }
      if predictsTarget[origin] { counts.targetWithoutTrigger += 1 }
    }
  }

  private static func withoutLabel(_ key: String) -> CLIPError {
    CLIPError(.format, "'\(key)': has no label; expected the name or index of a class, got none")
  }

  private func skip(_ error: CLIPError, _ counts: inout Counts) throws(CLIPError) {
    // Broken images are the dataset's fault; anything else is not.
    guard [.format, .io, .notFound, .unsupported].contains(error.code) else { throw error }
    counts.skipped += 1
    if counts.skippedReasons.count < 10 { counts.skippedReasons.append(error.message) }
    guard counts.skipped <= options.skipLimit else {
      throw CLIPError(
        .format,
        "evaluate: too many images cannot be read; expected at most \(options.skipLimit), the "
          + "first one: \(counts.skippedReasons.first ?? error.message)")
    }
  }

  /// - Throws: `state` for features that are all zero, which are as near to one class as to another.
  private func scores(of images: [RGBImage]) throws(CLIPError) -> Tensor {
    let size = preprocessor.imageSize
    let pixels = try Tensor([images.count, 3, size, size], .f32)
    for (index, image) in images.enumerated() {
      preprocessor.write(image, into: pixels.f32 + index * 3 * size * size)
    }
    let features = try model.encodeImages(pixels, normalize: true, precision: options.precision)
    guard !FeatureMatrix.lengths(features).contains(0) else {
      throw CLIPError(
        .state,
        "evaluate: image features are all zeros; expected what tells images apart, got the same of all; "
          + "inspect the model's weights")
    }
    let scores = try classifier.scores(features)
    guard UnsafeBufferPointer(start: scores.f32, count: scores.count).allSatisfy(\.isFinite) else {
      throw CLIPError(
        .state,
        "evaluate: image features are not numbers; expected finite values, got NaN; "
          + "inspect the model's weights")
    }
    return scores
  }

  private func row(_ index: Int, of scores: Tensor) -> UnsafeBufferPointer<Float> {
    let columns = scores.shape.columns
    return UnsafeBufferPointer(start: scores.f32 + index * columns, count: columns)
  }

  private func result(_ counts: Counts) -> EvaluationResult {
    var result = EvaluationResult(
      cleanAccuracy: counts.clean.places,
      classAccuracy: counts.classes.map { Proportion($0.correct, of: $0.total) },
      classes: classifier.classes, templateCount: templateCount, seed: options.seed,
      skipped: counts.skipped)
    result.skippedReasons = counts.skippedReasons
    if let target, let trigger = options.trigger {
      result.target = target
      result.trigger = trigger.summary
      result.attackSuccessRate = counts.attacked.places
      result.targetRateWithoutTrigger = Proportion(
        counts.targetWithoutTrigger, of: counts.attacked.total)
      result.triggeredAccuracy = Proportion(counts.triggeredCorrect, of: counts.attacked.total)
    }
    return result
  }
}
