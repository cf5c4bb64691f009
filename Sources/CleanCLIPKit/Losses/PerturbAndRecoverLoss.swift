internal import Glibc

/// The loss of PAR, perturb and recover (Singh et al. 2024, arXiv:2412.00727, section 4).
///
/// ```
/// L   = L_CLIP + 1/2 (max(0, τ - S_I) + max(0, τ - S_T))
/// S_I = 1/B Σ_i |e_I[i] - e*_I[i]|²            S_T the same of texts
/// ```
///
/// e are L2-normalized features, e* those of the model before the first step for the same images and
/// captions. The paper subtracts S while it is below τ, and nothing above, which has the same gradient;
/// the hinge is continuous. L_CLIP is that of `CleanCLIPLoss`.
package struct PerturbAndRecoverLoss: Equatable, Sendable {
  /// τ, above 0; S is at most 4, of opposite features.
  package let threshold: Float

  package init(threshold: Float) { self.threshold = threshold }

  /// Evaluates the loss and its gradients.
  ///
  /// - Parameters:
  ///   - imageFeatures: `[B, E]`, L2-normalized; the other features have the same shape.
  ///   - logitScale: ln s.
  /// - Returns: the hinges, unweighted, in the place of the loss inside the modalities.
  /// - Throws: `shape` when the features do not fit each other; `outOfMemory`.
  package func evaluate(
    imageFeatures: Tensor, textFeatures: Tensor, initialImageFeatures: Tensor,
    initialTextFeatures: Tensor, logitScale: Float
  ) throws(CLIPError) -> CleanCLIPLoss.Result {
    guard initialImageFeatures.shape == imageFeatures.shape,
      initialTextFeatures.shape == textFeatures.shape
    else {
      throw CLIPError(
        .shape,
        "perturb and recover: features do not fit; expected initial ones of \(imageFeatures.shape), "
          + "got images \(initialImageFeatures.shape) and texts \(initialTextFeatures.shape)")
    }
    var result = try CleanCLIPLoss(clipWeight: 1, inmodalWeight: 0).evaluate(
      imageFeatures: imageFeatures, textFeatures: textFeatures, logitScale: logitScale)
    result.inmodalLoss =
      addHinge(imageFeatures, initialImageFeatures, into: result.imageGradient)
      + addHinge(textFeatures, initialTextFeatures, into: result.textGradient)
    result.loss += result.inmodalLoss / 2
    return result
  }

  /// Evaluates the loss of a batch that ranks have a part of each, as `CleanCLIPLoss` does.
  ///
  /// - Returns: losses of the whole batch, and gradients of this rank's features.
  /// - Throws: as the other `evaluate`; what communication throws.
  func evaluate(
    imageFeatures: Tensor, textFeatures: Tensor, initialImageFeatures: Tensor,
    initialTextFeatures: Tensor, logitScale: Float, _ communicator: Communicator
  ) throws(CLIPError) -> CleanCLIPLoss.Result {
    func all(_ features: Tensor) throws(CLIPError) -> Tensor {
      try communicator.gatherRows(features, for: .features)
    }
    var result = try evaluate(
      imageFeatures: try all(imageFeatures), textFeatures: try all(textFeatures),
      initialImageFeatures: try all(initialImageFeatures),
      initialTextFeatures: try all(initialTextFeatures), logitScale: logitScale)
    result.imageGradient = communicator.ownRows(of: result.imageGradient)
    result.textGradient = communicator.ownRows(of: result.textGradient)
    return result
  }

  /// Adds half the gradient of max(0, τ - S) and returns its value.
  private func addHinge(_ features: Tensor, _ initial: Tensor, into gradient: Tensor) -> Double {
    let rows = Double(features.shape[0])
    var squares = 0.0
    for index in 0..<features.count {
      let difference = Double(features.f32[index] - initial.f32[index])
      squares += difference * difference
    }
    let hinge = Double(threshold) - squares / rows
    guard hinge > 0 else { return 0 }
    let weight = Float(1 / rows)
    for index in 0..<features.count {
      gradient.f32[index] -= weight * (features.f32[index] - initial.f32[index])
    }
    return hinge
  }
}
