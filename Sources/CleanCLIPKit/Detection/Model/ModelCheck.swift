internal import Glibc

/// Looks for a backdoor in the image tower of a checkpoint, by inverting triggers.
package struct ModelCheck {
  package let model: CLIPModel
  package var options = ModelCheckOptions()
  /// Classes to read targets out of; `nil` when there are none.
  package var classes: TextVocabulary?
  /// Common nouns embedded by the model; `nil` to leave them out.
  package var nouns: TextVocabulary?
  /// Checkpoints of the same architecture that are known to be clean.
  package var cleanReferences: [CLIPModel] = []
  /// Ranks that make the same check and divide its searches among them; all have the whole result, bit by
  /// bit that of one process.
  package var communicator = Communicator.single

  /// Images below which nothing is concluded.
  static let fewestImages = 16
  /// Classes below which they are no reference for one another.
  package static let fewestClasses = 4

  /// Fraction of held-out images that a trigger for one class must turn into it: most of them, chosen by
  /// hand.
  static let confirmedSuccessRate: Float = 0.5

  package init(_ model: CLIPModel) { self.model = model }

  /// Checks the tower.
  ///
  /// - Parameters:
  ///   - images: `[n, 3, S, S]` in 0…1, unlabelled; `nil` makes synthetic ones, which the result
  ///     says.
  ///   - progress: called after each step; `false` cancels. With a state directory, what was
  ///     finished is kept.
  /// - Throws: `shape` for other images, `invalidArgument` for fewer than 16, `unsupported`
  ///   without an image tower, `state` for weights that give NaN or the state of another check,
  ///   `cancelled`.
  package func run(
    images given: Tensor?, progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> ModelCheckResult {
    try options.validate()
    let start = monotonicSeconds()
    let size = try FeatureEncoder(model).imageSize()
    let images: Tensor
    if let given {
      images = try selected(given, size: size)
    } else {
      images = try SyntheticImages.draw(
        count: try ImageSample.limit(options.imageLimit, imageSize: size), size: size,
        seed: options.search.seed)
    }
    let held = max(8, images.shape[0] / 4)
    let searched = images.slice(0..<images.shape[0] - held)
    let heldOut = images.slice(images.shape[0] - held..<images.shape[0])

    for reference in cleanReferences {
      let side = try FeatureEncoder(reference).imageSize()
      guard side != size || reference.configuration.embedDim != model.configuration.embedDim else {
        continue
      }
      throw CLIPError(
        .shape,
        "check model: a clean reference has another architecture; expected images of \(size) "
          + "pixels and features of \(model.configuration.embedDim) numbers, got \(side) and "
          + "\(reference.configuration.embedDim)")
    }
    let clean = try encode(heldOut)
    try checkReferencesDiffer(heldOut, clean: clean)
    let outcome = try outcome(searched, heldOut: heldOut, clean: clean, progress: progress)
    let examples = try self.examples(heldOut, outcome.findings)
    var verdict = Verdict(pValue: outcome.pValue)
    let doubt =
      verdict == .clean
      ? ModelCheckDoubt(
        cleanCollapse: outcome.cleanCollapse,
        found: outcome.findings.contains { $0.search.trigger != nil },
        steps: options.search.steps) : nil
    if doubt != nil { verdict = .cannotTell }
    let calibration = CheckCalibration(
      model.configuration, meanCosine: outcome.cleanCollapse)
    let explanation = ModelCheckExplanation.text(
      verdict: verdict, outcome, doubt: doubt, references: cleanReferences.count,
      imagesAreSynthetic: given == nil, calibration)
    return ModelCheckResult(
      imageVerdict: verdict, pValue: outcome.pValue, imageFindings: outcome.findings,
      imageExplanation: explanation, targets: outcome.targets, leftOut: outcome.leftOut,
      images: images.shape[0], imagesAreSynthetic: given == nil, options: options,
      seconds: monotonicSeconds() - start, examples: examples, calibration: calibration)
  }

  /// Mean cosine of the features of two models from which they are one model in two forms.
  private static let sameModel: Float = 0.9999

  /// Refuses references that say of images what the suspect does: compared with itself every model is clean.
  ///
  /// - Parameter clean: the features of the images.
  private func checkReferencesDiffer(_ images: Tensor, clean: Tensor) throws(CLIPError) {
    for (index, reference) in cleanReferences.enumerated() {
      let cosine = clean.meanCosine(
        try reference.unitFeatures(ofPixels: images, precision: options.search.precision))
      guard cosine > Self.sameModel else { continue }
      throw CLIPError(
        .invalidArgument,
        "check model: clean reference \(index + 1) is the checked model itself, perhaps in another form; expected a "
          + "checkpoint that is known to be clean, got one with a mean cosine of \(decimal(Double(cosine), 5)) "
          + "between the features of both; leave it out to compare with further searches in the model"
      )
    }
  }

  /// Searches beside the main one in each space.
  var referenceSearches: Int {
    cleanReferences.isEmpty ? max(2, options.referenceSearches) : cleanReferences.count
  }

  /// Runs the searches in the order of their yield, until the verdict is settled.
  ///
  /// - Parameter clean: the features of the held-out images as they are.
  private func outcome(
    _ images: Tensor, heldOut: Tensor, clean: Tensor, progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> SearchOutcome {
    let textCount = options.classSearches > 0 ? (classes ?? nouns)?.names.count ?? 0 : 0
    let choosing =
      textCount > options.classSearches ? CheckSearches.candidateSearches(options) : 0
    var searches = try CheckSearches(
      images: images, options: options, models: [model] + cleanReferences,
      vocabulary: options.classSearches > 0 ? classes ?? nouns : nil,
      count: options.kinds.count
        * (1 + referenceSearches + min(options.classSearches, textCount)) + choosing,
      communicator: communicator)
    let collapse = FeatureMatrix.meanPairwiseCosine(clean)
    // What is not a number is told by the searches.
    guard !ModelCheckDoubt.isOneMeaning(collapse) else {
      return SearchOutcome(
        findings: [], pValue: 1, targets: [], leftOut: 0, cleanCollapse: collapse)
    }
    let targets = try targets(&searches, progress: progress)
    let plan = SearchPlan(kinds: options.kinds, hasTargets: targets != nil)
    var findings: [TriggerFinding] = []
    var pValues: [Double] = []
    for (index, item) in plan.items.enumerated() {
      // As many as there are ranks at a time: what would not be searched alone is left out of the result.
      if index % communicator.size == 0 {
        try searches.share(Array(plan.items[index...].prefix(communicator.size))) {
          (item, searches) throws(CLIPError) in
          _ = try judged(item, of: plan, targets, &searches, progress: progress)
        }
      }
      var smallest = 1.0
      for judged in try judged(item, of: plan, targets, &searches, progress: progress) {
        let next = try finding(judged, heldOut: heldOut, clean: clean)
        smallest = min(smallest, next.pValue)
        findings.append(next)
      }
      pValues.append(smallest)
      guard options.isExhaustive || !plan.isSettled(by: pValues) else { break }
    }
    return SearchOutcome(
      findings: findings, pValue: plan.pValue(pValues), targets: targets?.names ?? [],
      leftOut: plan.items.count - pValues.count,
      lacksTargets: targets == nil && options.classSearches > 0
        && (classes ?? nouns)?.names.count ?? 0 >= Self.fewestClasses,
      cleanCollapse: collapse)
  }

  /// The searches of an item of the plan.
  private func judged(
    _ item: SearchPlan.Item, of plan: SearchPlan, _ targets: SearchTargets?,
    _ searches: inout CheckSearches,
    progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> [JudgedSearch] {
    if let targets, item.isTargeted {
      let looks =
        options.isExhaustive
        ? nil : SearchLooks(item, of: plan, steps: options.search.ofOneClass.steps)
      return try comparedTargets(
        item.kind, targets, looks: looks, &searches, progress: progress)
    }
    return [try compared(item.kind, &searches, progress: progress)]
  }

  private func selected(_ images: Tensor, size: Int) throws(CLIPError) -> Tensor {
    guard images.shape.rank == 4, images.dtype == .f32,
      images.shape.dimensions.dropFirst().elementsEqual([3, size, size])
    else {
      throw CLIPError(
        .shape,
        "check model: images do not fit the model; expected [count, 3, \(size), \(size)], "
          + "got \(images.shape)")
    }
    guard images.shape[0] >= Self.fewestImages else {
      throw CLIPError(
        .invalidArgument,
        "check model: there are too few images; expected at least \(Self.fewestImages), "
          + "got \(images.shape[0]); give more, or none for synthetic ones")
    }
    for i in 0..<images.count where !(images.f32[i] >= 0 && images.f32[i] <= 1) {
      throw CLIPError(
        .invalidArgument,
        "check model: pixels are out of range; expected numbers in 0 to 1, got \(images.f32[i])")
    }
    guard images.shape[0] > options.imageLimit else { return images }
    var random = RandomNumbers(seed: options.search.seed, DetectionStream.selection)
    return try images.images(
      at: Array(random.permutation(images.shape[0]).prefix(options.imageLimit)))
  }

  /// - Parameter clean: the features of the held-out images as they are.
  private func finding(
    _ judged: JudgedSearch, heldOut: Tensor, clean: Tensor
  ) throws(CLIPError) -> TriggerFinding {
    let search = judged.search
    var triggered: Tensor?
    if let trigger = search.trigger { triggered = try encode(try trigger.applied(to: heldOut)) }
    let before = FeatureMatrix.meanPairwiseCosine(clean)
    let after = triggered.map(FeatureMatrix.meanPairwiseCosine) ?? 0
    let scale = min(100, expf(model.logitScale.value.f32[0]))
    func readout(_ vocabulary: TextVocabulary?) throws(CLIPError) -> TargetReadout? {
      guard let vocabulary, let triggered else { return nil }
      return try TargetReadout(
        clean: clean, triggered: triggered, vocabulary: vocabulary, logitScale: scale)
    }
    let name = judged.target.map { $0.vocabulary.names[$0.index] }
    let reached = try readout(judged.target?.vocabulary)
    // A trigger that fails on held-out images is fitted to those of the search.
    let isConfirmed =
      if let name {
        reached?.entries.first?.text == name
          && (reached?.successRate ?? 0) > Self.confirmedSuccessRate
      } else {
        search.trigger != nil && CollapseLoss.isConfirmed(after, from: before)
      }
    return TriggerFinding(
      kind: search.kind, target: name, search: search, reference: judged.reference,
      pValue: isConfirmed ? judged.pValue : 1, cleanCollapse: before, heldOutCollapse: after,
      classes: try readout(classes), nouns: try readout(nouns))
  }

  private func encode(_ images: Tensor) throws(CLIPError) -> Tensor {
    try model.unitFeatures(ofPixels: images, precision: options.search.precision)
  }

  private func examples(
    _ heldOut: Tensor, _ findings: [TriggerFinding]
  ) throws(CLIPError) -> [(clean: RGBImage, triggered: RGBImage)] {
    guard
      let trigger = findings.filter({ $0.search.trigger != nil })
        .min(by: { $0.pValue < $1.pValue })?.search.trigger
    else { return [] }
    let few = heldOut.slice(0..<min(6, heldOut.shape[0]))
    let triggered = try trigger.applied(to: few)
    return (0..<few.shape[0]).map { row in
      (clean: RGBImage(planar: few, row: row), triggered: RGBImage(planar: triggered, row: row))
    }
  }
}

extension CLIPModel {
  /// Returns L2-normalized features `[n, E]` of images `[n, 3, S, S]` in 0…1.
  func unitFeatures(ofPixels images: Tensor, precision: DType) throws(CLIPError) -> Tensor {
    let count = images.shape[0]
    let result = try Tensor([count, configuration.embedDim])
    let scale = PixelScale(configuration)
    try PixelMemory.forEachPiece(of: images) { (range, piece) throws(CLIPError) in
      let features = try encodeImages(
        try scale.normalized(piece), normalize: true, precision: precision)
      memcpy(result.slice(range).bytes, features.bytes, features.byteCount)
    }
    return result
  }

  /// Runs `body` while no parameter wants a gradient, so that only the input's is computed.
  func withFrozenParameters<Result>(
    _ body: () throws(CLIPError) -> Result
  ) throws(CLIPError) -> Result {
    let trainable = parameters.filter(\.isTrainable)
    for parameter in trainable { parameter.isTrainable = false }
    defer { for parameter in trainable { parameter.isTrainable = true } }
    return try body()
  }
}

extension Tensor {
  /// Puts the rows of two tensors behind one another.
  package static func joined(_ a: Tensor, _ b: Tensor) throws(CLIPError) -> Tensor {
    let result = try Tensor(
      Shape([a.shape[0] + b.shape[0]] + a.shape.dimensions.dropFirst()))
    memcpy(result.bytes, a.bytes, a.byteCount)
    memcpy(result.bytes + a.byteCount, b.bytes, b.byteCount)
    return result
  }

  /// Copies the images at `indices` of `[n, 3, S, S]`.
  func images(at indices: [Int]) throws(CLIPError) -> Tensor {
    let inner = Array(shape.dimensions.dropFirst())
    let rows = try FeatureMatrix.gather(
      reshaped([shape[0], count / max(1, shape[0])]), indices)
    return rows.reshaped(Shape([indices.count] + inner))
  }
}
