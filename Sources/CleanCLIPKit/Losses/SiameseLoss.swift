/// The loss of Sim-CLIP (Hossain and Imteaj 2024, arXiv:2407.14971), after SimSiam (Chen and He 2020,
/// arXiv:2011.10566):
///
/// ```
/// L = 1/B Σ_i 1 - 1/2 (c_i · stop(p_i) + stop(c_i) · p_i)
/// ```
///
/// c are L2-normalized features of images, p of the same images under attack. The papers leave the
/// constant out; with it 0 is the aim. stop(·) takes no gradient, so that of each side is half of what it is
/// without. It is computed as the mean of |c - p|² / 2, the same of unit vectors, which keeps its digits where
/// they are close.
package enum SiameseLoss {
  /// What one evaluation gives.
  package struct Result {
    /// What these images add to L.
    package let loss: Double
    /// dL/d(features), `[2 n, E]`.
    package let gradient: Tensor
  }

  /// Evaluates the loss and its gradient for a part of a batch.
  ///
  /// - Parameters:
  ///   - features: `[2 n, E]`, L2-normalized: c, then p in the same order.
  ///   - weight: 1/B.
  /// - Throws: `shape` for an odd number of rows; `outOfMemory`.
  package static func evaluate(
    _ features: Tensor, weight: Double
  ) throws(CLIPError) -> Result {
    guard features.shape.rank == 2, features.shape[0] > 0, features.shape[0] % 2 == 0 else {
      throw CLIPError(
        .shape,
        "siamese loss: features do not fit; expected two rows an image, got \(features.shape)")
    }
    let (pairs, width) = (features.shape[0] / 2, features.shape[1])
    let gradient = try Tensor(features.shape)
    let (clean, attacked) = (features.f32, features.f32 + pairs * width)
    let (dClean, dAttacked) = (gradient.f32, gradient.f32 + pairs * width)
    let half = Float(weight / 2)
    var squares = 0.0
    for index in 0..<pairs * width {
      let difference = clean[index] - attacked[index]
      squares += Double(difference) * Double(difference)
      dClean[index] = half * difference
      dAttacked[index] = -half * difference
    }
    return Result(loss: weight / 2 * squares, gradient: gradient)
  }
}
