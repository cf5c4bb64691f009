extension SanitizeMethod {
  /// `SafeCLIPRecipe`.
  static let safeclip = SanitizeMethod(
    name: "safeclip", title: "SafeCLIP",
    summary: """
      the self-supervised loss inside each modality first, then the contrastive loss on pairs whose image \
      and caption agree, which become more, and the self-supervised one on the others (Yang et al. 2024)
      """,
    source: "Yang et al., SafeCLIP, ICML 2024",
    needs: SanitizeNeeds(captions: .required), trainsFromNothing: true,
    options: SanitizeOptions.trainingRules + OptionRule.ofCleaningSet + [
      .inmodalEpochs, .safeProbability,
    ]
  ) { (input, options) throws(CLIPError) in
    let own = options.safeclip
    guard options.training.epochs > own.inmodalEpochs + 1 else {
      throw CLIPError(
        .invalidArgument,
        "options: epochs is too small for safeclip; expected at least \(own.inmodalEpochs + 2), with "
          + "inmodal_epochs \(own.inmodalEpochs), got \(options.training.epochs)")
    }
    return try RecipeRun(
      try SafeCLIPRecipe(input.model, options: own, pairs: input.dataset.count), input, options)
  }
}

/// Options of `SafeCLIPRecipe`, from the authors' code.
package struct SafeCLIPOptions: Equatable, Sendable {
  /// Epochs of self-supervision before images and captions meet.
  package var inmodalEpochs = 5
  /// The probability of agreeing above which a pair is safe at first.
  package var safeProbability: Float = 0.9

  package init() {}
}

extension OptionRule<SanitizeOptions> {
  static let inmodalEpochs = OptionRule(
    "inmodal_epochs", \.safeclip.inmodalEpochs, .range(0...1_000_000))
  static let safeProbability = OptionRule(
    "safe_probability", \.safeclip.safeProbability, .above(0, through: 1))
}

/// SafeCLIP (Yang et al. 2024, arXiv:2310.05862): both towers, all parameters trained, in three phases.
///
/// 1. `inmodalEpochs` epochs of the self-supervised loss inside each modality, which learns from no pair.
/// 2. One epoch of the contrastive loss on all pairs, at a hundredth of the learning rate: enough to tell
///    pairs that agree, too little to learn those that do not.
/// 3. `SafeCLIPLoss` with the pairs divided by `SafeSplit`, anew before each epoch.
///
/// Cosines are those of the passes that train on a pair.
package final class SafeCLIPRecipe: Recipe {
  package let name = "safeclip"
  package let model: CLIPModel
  package let parameters: [Parameter]
  private let inmodalEpochs: Int
  private let split: SafeSplit
  private var phase = Phase.inmodal
  /// Rows of a step and their cosines, which are kept when its update is made.
  private var seen: [(row: Int, cosine: Float)] = []

  private enum Phase { case inmodal, meeting, divided }

  /// The learning rate of the epoch in which images and captions meet: 5e-6 of 5e-4 in the authors' code.
  private static let meetingRate: Float = 0.01

  /// - Parameter pairs: of the dataset.
  /// - Throws: `unsupported` when a tower is missing; `format` when weights of the model are not finite.
  package init(
    _ model: CLIPModel, options: SafeCLIPOptions, pairs: Int
  ) throws(CLIPError) {
    try model.requireBothTowers(for: "safeclip")
    self.model = model
    inmodalEpochs = options.inmodalEpochs
    split = try SafeSplit(pairs: pairs, safeProbability: options.safeProbability)
    parameters = model.parameters.filter(\.isTrainable)
  }

  package var needs: BatchNeeds { BatchNeeds(views: 2, captions: true, labels: false) }
  package var smallestBatch: Int { 2 }
  package var state: [(name: String, tensor: Tensor)] { model.stateDict() + split.state }
  package var learningRateFactor: Float { phase == .meeting ? Self.meetingRate : 1 }
  /// Pairs that are safe in the current split.
  package var safePairs: Int { split.safeCount }

  package func willStep(_ step: Int, epoch: Int) throws(CLIPError) {
    phase = epoch < inmodalEpochs ? .inmodal : epoch == inmodalEpochs ? .meeting : .divided
    if split.splits < epoch - inmodalEpochs { try split.split() }
  }

  package func accumulateGradients(
    _ batch: TrainingBatch, _ pass: Pass
  ) throws(CLIPError) -> StepLosses {
    let communicator = pass.communicator
    let rows = try communicator.gather(try batch.rows(for: name), for: .contents)
    let isSafe = rows.map { row in
      switch phase {
      case .inmodal: false
      case .meeting: true
      case .divided: split.isSafe(row)
      }
    }
    let gradients = FeatureGradients(model: model, isTraining: true) {
      [self] (images, texts) throws(CLIPError) in
      let all = (
        images: try communicator.gatherViews(images, needs.views),
        texts: try communicator.gatherViews(texts, needs.views)
      )
      seen = zip(rows, Self.cosines(all.images, all.texts, rows.count)).map { ($0, $1) }
      var result = try SafeCLIPLoss.evaluate(
        imageFeatures: all.images, textFeatures: all.texts, isSafe: isSafe,
        logitScale: model.logitScale.value.f32[0])
      result.imageGradient = try communicator.ownViews(of: result.imageGradient, needs.views)
      result.textGradient = try communicator.ownViews(of: result.textGradient, needs.views)
      return result
    }
    let result = try gradients.accumulate(batch, pass)
    try model.addLogitScaleGradient(result.logitScaleGradient, communicator)
    return StepLosses(
      loss: result.loss, crossmodalLoss: result.crossmodalLoss, inmodalLoss: result.inmodalLoss)
  }

  package func didUpdate() {
    model.limitLogitScale()
    for (row, cosine) in seen { split.add(cosine, of: row) }
    seen = []
  }

  /// Cosines of the originals.
  private static func cosines(_ images: Tensor, _ texts: Tensor, _ pairs: Int) -> [Float] {
    let width = images.shape[1]
    return (0..<pairs).map { pair in
      var sum: Float = 0
      for k in pair * width..<(pair + 1) * width { sum += images.f32[k] * texts.f32[k] }
      return sum
    }
  }
}
