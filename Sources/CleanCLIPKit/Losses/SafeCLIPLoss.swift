internal import Glibc

/// The loss of SafeCLIP (Yang et al. 2024, arXiv:2310.05862): the contrastive loss on pairs that are safe,
/// the self-supervised loss inside each modality on the risky ones.
///
/// ```
/// L = L_CLIP(safe) + L_SS(risky)
/// ```
///
/// Both are those of `CleanCLIPLoss`, each with the other pairs of its own part as negatives.
package enum SafeCLIPLoss {
  /// Evaluates the loss and its gradients.
  ///
  /// - Parameters:
  ///   - imageFeatures: `[2 B, E]`, L2-normalized, originals first.
  ///   - textFeatures: `[2 B, E]`, in the same way.
  ///   - isSafe: `[B]`.
  ///   - logitScale: ln s.
  /// - Throws: `shape` when the features do not fit each other; `outOfMemory`.
  package static func evaluate(
    imageFeatures: Tensor, textFeatures: Tensor, isSafe: [Bool], logitScale: Float
  ) throws(CLIPError) -> CleanCLIPLoss.Result {
    let pairs = isSafe.count
    guard imageFeatures.shape == textFeatures.shape, imageFeatures.shape.rank == 2,
      imageFeatures.shape[0] == 2 * pairs
    else {
      throw CLIPError(
        .shape,
        "safeclip loss: features do not fit; expected two rows for each of \(pairs) pairs, got images "
          + "\(imageFeatures.shape) and texts \(textFeatures.shape)")
    }
    var result = CleanCLIPLoss.Result(
      loss: 0, crossmodalLoss: 0, inmodalLoss: 0,
      imageGradient: try Tensor.zeros(imageFeatures.shape, .f32),
      textGradient: try Tensor.zeros(textFeatures.shape, .f32), logitScaleGradient: 0)
    let safe = (0..<pairs).filter { isSafe[$0] }
    let risky = (0..<pairs).filter { !isSafe[$0] }
    for (loss, rows) in [
      (CleanCLIPLoss(clipWeight: 1, inmodalWeight: 0), safe),
      (CleanCLIPLoss(clipWeight: 0, inmodalWeight: 1), risky + risky.map { $0 + pairs }),
    ] where !rows.isEmpty {
      let part = try loss.evaluate(
        imageFeatures: try FeatureMatrix.gather(imageFeatures, rows),
        textFeatures: try FeatureMatrix.gather(textFeatures, rows), logitScale: logitScale)
      result.loss += part.loss
      result.crossmodalLoss += part.crossmodalLoss
      result.inmodalLoss += part.inmodalLoss
      result.logitScaleGradient += part.logitScaleGradient
      part.imageGradient.scatter(to: rows, of: result.imageGradient)
      part.textGradient.scatter(to: rows, of: result.textGradient)
    }
    return result
  }
}

extension Tensor {
  /// Writes its rows over those with these numbers.
  fileprivate func scatter(to numbers: [Int], of whole: Tensor) {
    for (place, row) in numbers.enumerated() {
      let source = slice(place..<place + 1)
      memcpy(whole.slice(row..<row + 1).bytes, source.bytes, source.byteCount)
    }
  }
}
