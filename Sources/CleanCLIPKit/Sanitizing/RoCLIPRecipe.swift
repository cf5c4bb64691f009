extension SanitizeMethod {
  /// `RoCLIPRecipe`.
  static let roclip = SanitizeMethod(
    name: "roclip", title: "RoCLIP",
    summary: """
      the contrastive loss on augmented pairs, in which every few epochs each image has the caption of a \
      varying pool that is nearest to it in the place of its own (Yang et al. 2023)
      """,
    source: "Yang et al., RoCLIP, NeurIPS 2023",
    needs: SanitizeNeeds(captions: .required), trainsFromNothing: true,
    options: SanitizeOptions.trainingRules + OptionRule.ofCleaningSet + [
      .matchEvery, .poolFraction,
    ]
  ) { (input, options) throws(CLIPError) in
    let own = options.roclip
    guard options.training.epochs >= own.matchEvery else {
      throw CLIPError(
        .invalidArgument,
        "options: epochs is too small for roclip, which would never match; expected at least "
          + "\(own.matchEvery), as match_every is, got \(options.training.epochs)")
    }
    return try RecipeRun(
      try RoCLIPRecipe(input.model, options: options.roclip, pairs: input.dataset.count), input,
      options)
  }
}

/// Options of `RoCLIPRecipe`, from the authors' code.
package struct RoCLIPOptions: Equatable, Sendable {
  /// K: every K-th epoch images are matched with the pool.
  package var matchEvery = 2
  /// Captions of the pool, as a fraction of the pairs.
  package var poolFraction: Float = 0.02

  package init() {}
}

extension OptionRule<SanitizeOptions> {
  static let matchEvery = OptionRule("match_every", \.roclip.matchEvery, .range(1...1_000_000))
  static let poolFraction = OptionRule(
    "pool_fraction", \.roclip.poolFraction, .above(0, through: 1))
}

/// RoCLIP (Yang et al. 2023, arXiv:2303.06854): both towers on the contrastive loss of augmented images and
/// captions, all parameters trained; in every K-th epoch
///
/// ```
/// L = 1/2 (mean_i CE(s e_I[i] Mᵀ, i) + mean_j CE(s M[j] e_Iᵀ, j))      M[i] = argmax_{t in pool} e_I[i] · t
/// ```
///
/// A poisoned image meets its own caption in the other epochs only, and the caption of what it shows in
/// these. The pool holds L2-normalized features of the captions that were seen last, without a gradient,
/// so that the text tower rests while images are matched. It is filled in all epochs, and begins with
/// nothing: images have their own captions until there is another.
package final class RoCLIPRecipe: Recipe {
  package let name = "roclip"
  package let model: CLIPModel
  package let parameters: [Parameter]
  private let matchEvery: Int
  private let pool: CaptionPool
  private var isMatching = false
  /// Features of the captions of a step, which enter the pool when its update is made.
  private var seen: Tensor?

  /// - Parameter pairs: of the dataset.
  /// - Throws: `unsupported` when a tower is missing; `format` when weights of the model are not finite;
  ///   `invalidArgument` for a pool without captions.
  package init(
    _ model: CLIPModel, options: RoCLIPOptions, pairs: Int
  ) throws(CLIPError) {
    try model.requireBothTowers(for: "roclip")
    self.model = model
    matchEvery = options.matchEvery
    let capacity = Int((Double(options.poolFraction) * Double(pairs)).rounded())
    guard capacity > 0 else {
      throw CLIPError(
        .invalidArgument,
        "options: pool_fraction is too small; expected a pool of at least one caption, got \(capacity) of "
          + "\(pairs) pairs")
    }
    pool = try CaptionPool(capacity: capacity, width: model.configuration.embedDim)
    parameters = model.parameters.filter(\.isTrainable)
  }

  package var needs: BatchNeeds { BatchNeeds(views: 2, captions: true, labels: false) }
  package var smallestBatch: Int { 2 }
  package var state: [(name: String, tensor: Tensor)] { model.stateDict() + pool.state }

  package func willStep(_ step: Int, epoch: Int) { isMatching = (epoch + 1) % matchEvery == 0 }

  package func accumulateGradients(
    _ batch: TrainingBatch, _ pass: Pass
  ) throws(CLIPError) -> StepLosses {
    let communicator = pass.communicator
    let gradients = FeatureGradients(model: model, isTraining: true) {
      [self] (images, texts) throws(CLIPError) in
      let all = (
        images: try communicator.gatherRows(images, for: .features),
        texts: try communicator.gatherRows(texts, for: .features)
      )
      seen = all.texts
      let matches = isMatching ? try pool.nearest(to: all.images) : nil
      var result = try CleanCLIPLoss(clipWeight: 1, inmodalWeight: 0).evaluate(
        imageFeatures: all.images, textFeatures: matches ?? all.texts,
        logitScale: model.logitScale.value.f32[0])
      if matches != nil { result.textGradient = try Tensor.zeros(all.texts.shape, .f32) }
      result.imageGradient = communicator.ownRows(of: result.imageGradient)
      result.textGradient = communicator.ownRows(of: result.textGradient)
      return result
    }
    let result = try gradients.accumulate(batch.view(1), pass)
    try model.addLogitScaleGradient(result.logitScaleGradient, communicator)
    return StepLosses(loss: result.loss, crossmodalLoss: result.crossmodalLoss)
  }

  package func didUpdate() {
    model.limitLogitScale()
    if let seen { pool.add(seen) }
    seen = nil
  }
}
