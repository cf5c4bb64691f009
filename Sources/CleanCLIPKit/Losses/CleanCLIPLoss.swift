internal import Glibc

/// The loss of CleanCLIP (Bansal et al. 2023, arXiv:2303.03323): multimodal contrastive plus
/// unimodal self-supervised.
///
///     L      = clipWeight · L_CLIP + inmodalWeight · L_SS
///     S      = s · e_I e_Tᵀ                                        [B, B]
///     L_CLIP = 1/2 (mean_i CE(S[i, :], i) + mean_j CE(S[:, j], j))
///     L_SS   = 1/2 (mean_i CE(s · e_I[i] ẽ_Iᵀ, i) + mean_i CE(s · e_T[i] ẽ_Tᵀ, i))
///
/// e are L2-normalized features of the originals, ẽ of their augmentations, s = exp(logitScale) is shared and
/// trained. The self-supervised loss has one direction, originals against augmentations, as in the
/// paper's code: the other direction and the other originals are no negatives. Gradients flow into
/// both branches. L_CLIP sees originals only. A weight of 0 leaves its term out.
package struct CleanCLIPLoss: Equatable, Sendable {
  /// λ1, at least 0.
  package var clipWeight: Float
  /// λ2, at least 0.
  package var inmodalWeight: Float

  package init(clipWeight: Float, inmodalWeight: Float) {
    self.clipWeight = clipWeight
    self.inmodalWeight = inmodalWeight
  }

  /// 1 when only originals are needed, 2 with augmentations.
  package var views: Int { inmodalWeight > 0 ? 2 : 1 }

  /// What one evaluation gives.
  package struct Result {
    /// L.
    package var loss: Double
    /// L_CLIP, unweighted; 0 when its weight is 0.
    package var crossmodalLoss: Double
    /// L_SS, unweighted; 0 when its weight is 0.
    package var inmodalLoss: Double
    /// dL/d(image features), `[V B, E]`.
    package var imageGradient: Tensor
    /// dL/d(text features), `[V B, E]`.
    package var textGradient: Tensor
    /// dL/d(ln s).
    package var logitScaleGradient: Double
  }

  /// Evaluates the loss and its gradients in single precision, with sums in double precision.
  ///
  /// - Parameters:
  ///   - imageFeatures: `[V B, E]`, L2-normalized, originals first.
  ///   - textFeatures: `[V B, E]`, L2-normalized, originals first.
  ///   - logitScale: ln s.
  /// - Throws: `shape` when the features do not fit each other; `outOfMemory`.
  /// - Complexity: up to 4 products of B·B·E and 8 B² exponentials for each of three matrices.
  package func evaluate(
    imageFeatures: Tensor, textFeatures: Tensor, logitScale: Float
  ) throws(CLIPError) -> Result {
    guard imageFeatures.shape == textFeatures.shape, imageFeatures.shape.rank == 2,
      imageFeatures.shape[0] % views == 0, imageFeatures.shape[0] > 0
    else {
      throw CLIPError(
        .shape,
        "contrastive loss: features do not fit; expected \(views) rows a pair and equal shapes, "
          + "got images \(imageFeatures.shape) and texts \(textFeatures.shape)")
    }
    let pairs = imageFeatures.shape[0] / views
    let (originals, augmented) = (0..<pairs, pairs..<(views * pairs))
    let dImages = try Tensor.zeros(imageFeatures.shape, .f32)
    let dTexts = try Tensor.zeros(textFeatures.shape, .f32)
    var result = Result(
      loss: 0, crossmodalLoss: 0, inmodalLoss: 0, imageGradient: dImages, textGradient: dTexts,
      logitScaleGradient: 0)
    let scale = expf(logitScale)
    if clipWeight > 0 {
      let term = ContrastiveTerm(scale: scale, weight: Double(clipWeight) / 2, isSymmetric: true)
      result.crossmodalLoss = try term.add(
        imageFeatures.slice(originals), dImages.slice(originals), textFeatures.slice(originals),
        dTexts.slice(originals), &result.logitScaleGradient)
    }
    if inmodalWeight > 0 {
      let term = ContrastiveTerm(
        scale: scale, weight: Double(inmodalWeight) / 2, isSymmetric: false)
      for (features, gradient) in [(imageFeatures, dImages), (textFeatures, dTexts)] {
        result.inmodalLoss += try term.add(
          features.slice(originals), gradient.slice(originals), features.slice(augmented),
          gradient.slice(augmented), &result.logitScaleGradient)
      }
    }
    result.loss =
      Double(clipWeight) * result.crossmodalLoss + Double(inmodalWeight) * result.inmodalLoss
    return result
  }
}

/// Cross-entropy of one similarity matrix against its diagonal.
private struct ContrastiveTerm {
  /// s.
  let scale: Float
  /// What the mean over the rows counts for in the loss.
  let weight: Double
  /// Whether the columns are distributions as well.
  let isSymmetric: Bool

  /// Adds the gradients of both sides and of ln s, and returns half the sum of the unweighted means.
  func add(
    _ a: Tensor, _ dA: Tensor, _ b: Tensor, _ dB: Tensor, _ dLogitScale: inout Double
  ) throws(CLIPError) -> Double {
    let pairs = a.shape[0]
    let logits = try Tensor([pairs, pairs], .f32)
    try LinearAlgebra.multiply(
      a, transposeA: false, b, transposeB: true, into: logits, alpha: scale, beta: 0)
    let dLogits = try Tensor.zeros(logits.shape, .f32)
    let share = weight / Double(pairs)
    var sum = CrossEntropy.add(logits, .rows, target: { $0 }, weight: share, into: dLogits)
    if isSymmetric {
      sum += CrossEntropy.add(logits, .columns, target: { $0 }, weight: share, into: dLogits)
    }
    // dL/d(ln s) = Σ dLogits · logits, since logits = exp(ln s) · similarity.
    let (x, dX) = (logits.f32, dLogits.f32)
    for i in 0..<logits.count { dLogitScale += Double(dX[i]) * Double(x[i]) }
    try LinearAlgebra.multiply(
      dLogits, transposeA: false, b, transposeB: false, into: dA, alpha: scale, beta: 1)
    try LinearAlgebra.multiply(
      dLogits, transposeA: true, a, transposeB: false, into: dB, alpha: scale, beta: 1)
    return sum / (2 * weight)
  }
}
