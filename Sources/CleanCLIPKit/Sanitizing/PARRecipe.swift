extension SanitizeMethod {
  /// `PARRecipe`.
  static let par = SanitizeMethod(
    name: "par", title: "Perturb and recover",
    summary: """
      the contrastive loss while the features of both towers are pushed away from those of the model \
      before the first step (Singh et al. 2024)
      """,
    source: "Singh et al., Perturb and Recover, arXiv:2412.00727",
    needs: SanitizeNeeds(captions: .required),
    options: SanitizeOptions.trainingRules + OptionRule.ofCleaningSet + [.perturbThreshold]
  ) { (input, options) throws(CLIPError) in
    try RecipeRun(
      try PARRecipe(
        input.model, threshold: options.par.perturbThreshold, seed: options.training.seed),
      input, options)
  }
}

/// Options of `PARRecipe`.
package struct PAROptions: Equatable, Sendable {
  /// τ, the mean squared distance of L2-normalized features from the initial ones up to which they are
  /// pushed; 2 is orthogonal, 4 opposite. Of the paper, set for one attack and kept for all.
  package var perturbThreshold: Float = 2.15
}

extension OptionRule<SanitizeOptions> {
  static let perturbThreshold = OptionRule(
    "perturb_threshold", \.par.perturbThreshold, .above(0, through: 4))
}

/// PAR, perturb and recover (Singh et al. 2024, arXiv:2412.00727): both towers on the loss of
/// `PerturbAndRecoverLoss`, all parameters but the temperature trained.
///
/// Batch norm keeps its statistics: in the authors' code those of the batch meet fixed ones in the
/// frozen copy, which makes distance that no weight has moved. Images are augmented as theirs are
/// (`PARAugmentation`), for both copies alike; evaluation is not, as it is in their training script.
package final class PARRecipe: Recipe {
  package let name = "par"
  package let model: CLIPModel
  package let parameters: [Parameter]
  private let loss: PerturbAndRecoverLoss
  /// The model before the first step.
  private let initial: CLIPModel
  private let augmentation: PARAugmentation
  private var step = 0

  /// - Throws: `unsupported` when a tower is missing; `format` when weights of the model are not
  ///   finite.
  package init(_ model: CLIPModel, threshold: Float, seed: UInt64) throws(CLIPError) {
    try model.requireBothTowers(for: "par")
    self.model = model
    loss = PerturbAndRecoverLoss(threshold: threshold)
    augmentation = PARAugmentation(model.configuration, seed: seed)
    var tensors: [String: Tensor] = [:]
    for (name, tensor) in model.stateDict() { tensors[name] = tensor }
    initial = try CLIPModel(model.configuration, tensors: tensors)
    for parameter in initial.parameters { parameter.isTrainable = false }
    parameters = model.parameters.filter { $0.isTrainable && $0 !== model.logitScale }
  }

  package var needs: BatchNeeds { BatchNeeds(views: 1, captions: true, labels: false) }
  package var smallestBatch: Int { 2 }
  package var state: [(name: String, tensor: Tensor)] { model.stateDict() }

  package func willStep(_ step: Int, epoch: Int) { self.step = step }

  package func accumulateGradients(
    _ batch: TrainingBatch, _ pass: Pass
  ) throws(CLIPError) -> StepLosses {
    let communicator = pass.communicator
    let augmented = try augmentation.applied(
      to: batch, step: step, firstRow: communicator.rank * batch.count)
    let before = try initial.normalizedFeatures(
      augmented, augmented.chunks(of: pass.chunkSize), pass, isTraining: false)
    let gradients = FeatureGradients(model: model, isTraining: false) {
      [loss, model] (images, texts) throws(CLIPError) in
      try loss.evaluate(
        imageFeatures: images, textFeatures: texts, initialImageFeatures: before.images,
        initialTextFeatures: before.texts, logitScale: model.logitScale.value.f32[0],
        communicator)
    }
    let result = try gradients.accumulate(augmented, pass)
    return StepLosses(
      loss: result.loss, crossmodalLoss: result.crossmodalLoss, inmodalLoss: result.inmodalLoss)
  }
}
