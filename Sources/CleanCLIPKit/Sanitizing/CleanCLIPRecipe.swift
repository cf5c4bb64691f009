internal import Glibc

extension SanitizeMethod {
  /// `CleanCLIPRecipe`, the paper's first defence.
  static let cleanclip = SanitizeMethod(
    name: "cleanclip", title: "CleanCLIP",
    summary: """
      the contrastive loss between images and captions plus a self-supervised loss inside each \
      modality (Bansal et al. 2023); with inmodal_weight 0, plain fine-tuning
      """,
    source: "Bansal et al., CleanCLIP, ICCV 2023",
    needs: SanitizeNeeds(captions: .required), trainsFromNothing: true,
    options: SanitizeOptions.trainingRules + OptionRule.ofCleaningSet + [
      .clipWeight, .inmodalWeight,
    ]
  ) { (input, options) throws(CLIPError) in
    let loss = CleanCLIPLoss(
      clipWeight: options.cleanclip.clipWeight, inmodalWeight: options.cleanclip.inmodalWeight)
    return try RecipeRun(try CleanCLIPRecipe(input.model, loss: loss), input, options)
  }
}

/// Options of `CleanCLIPRecipe`.
package struct CleanCLIPOptions: Equatable, Sendable {
  /// λ1, of the contrastive loss between images and captions.
  package var clipWeight: Float = 1
  /// λ2, of the self-supervised loss inside each modality.
  package var inmodalWeight: Float = 1
}

extension OptionRule<SanitizeOptions> {
  static let clipWeight = OptionRule("clip_weight", \.cleanclip.clipWeight, .from(0))
  static let inmodalWeight = OptionRule("inmodal_weight", \.cleanclip.inmodalWeight, .from(0))
}

/// CleanCLIP: both towers on the contrastive and the self-supervised loss, all parameters trained.
///
/// With `inmodalWeight` 0 it is plain fine-tuning, or training from scratch, on the CLIP loss; with
/// `clipWeight` 0, self-supervision only. Originals and augmentations pass through each tower as one
/// batch of 2 B, so that batch norm has joint statistics, as in the paper's code.
package final class CleanCLIPRecipe: Recipe {
  package let name = "cleanclip"
  package let model: CLIPModel
  package let loss: CleanCLIPLoss
  package let parameters: [Parameter]

  /// - Throws: `invalidArgument` when both weights are 0; `unsupported` when a tower is missing;
  ///   `format` when weights of the model are not finite.
  package init(_ model: CLIPModel, loss: CleanCLIPLoss) throws(CLIPError) {
    guard loss.clipWeight > 0 || loss.inmodalWeight > 0 else {
      throw CLIPError(
        .invalidArgument,
        "options: clip_weight is out of range; expected more than 0 when inmodal_weight is 0, "
          + "got \(loss.clipWeight)")
    }
    try model.requireBothTowers(for: "cleanclip")
    self.model = model
    self.loss = loss
    parameters = model.parameters.filter(\.isTrainable)
  }

  package var needs: BatchNeeds { BatchNeeds(views: loss.views, captions: true, labels: false) }
  package var smallestBatch: Int { 2 }
  package var state: [(name: String, tensor: Tensor)] { model.stateDict() }

  package func accumulateGradients(
    _ batch: TrainingBatch, _ pass: Pass
  ) throws(CLIPError) -> StepLosses {
    let communicator = pass.communicator
    let gradients = FeatureGradients(model: model, isTraining: true) {
      [loss, model] (images, texts) throws(CLIPError) in
      try loss.evaluate(
        imageFeatures: images, textFeatures: texts, logitScale: model.logitScale.value.f32[0],
        communicator)
    }
    let result = try gradients.accumulate(batch, pass)
    try model.addLogitScaleGradient(result.logitScaleGradient, communicator)
    return StepLosses(
      loss: result.loss, crossmodalLoss: result.crossmodalLoss, inmodalLoss: result.inmodalLoss)
  }

  package func didUpdate() { model.limitLogitScale() }
}

extension CLIPModel {
  /// Adds the gradient of ln s that every rank has of the whole batch; the sum over the ranks takes it from
  /// one.
  func addLogitScaleGradient(
    _ gradient: Double, _ communicator: Communicator
  ) throws(CLIPError) {
    guard logitScale.isTrainable else { return }
    try logitScale.accumulatedGradient().f32[0] += communicator.rank == 0 ? Float(gradient) : 0
  }

  /// Puts the temperature back within 1 … 100 (Radford et al. 2021, section 2.5).
  func limitLogitScale() {
    let scale = logitScale.value.f32
    scale[0] = min(max(scale[0], 0), logf(100))
    logitScale.valueDidChange()
  }
}
