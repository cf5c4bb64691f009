internal import Glibc

/// What BadCLIP's trigger minimises (Liang et al. 2024, arXiv:2311.12075, section 3.3).
///
/// ```
/// L_text  = mean_i -ln( exp(s f_i·t*_i) / (exp(s f_i·t*_i) + Σ_j exp(s f_i·t_j)) )
/// L_image = mean_i max(0, |f_i - p_i| - |f_i - n_i| + 1)
/// L       = L_text + 500 L_image
/// ```
///
/// f are features of images with the patch, t* of captions of the target, t of the images' own
/// captions, p of images of the target, n of the same images without the patch; all are L2-normalized.
/// The authors' code contrasts t* with one another only, which all say the same; here the images' own
/// captions are what f moves away from. Its n are of patched images, because the patch is pasted in
/// place; here they are of clean ones.
package struct DualEmbeddingLoss {
  /// s = exp(logitScale).
  let scale: Float
  /// Of L_image.
  package static let imageWeight: Float = 500
  package static let margin: Float = 1

  package init(scale: Float) { self.scale = scale }

  /// What one evaluation gives.
  package struct Result {
    /// L_text.
    package var text: Double
    /// L_image, unweighted.
    package var image: Double
    /// dL/df, `[B, E]`.
    package let gradient: Tensor

    /// L.
    package var total: Double { text + Double(DualEmbeddingLoss.imageWeight) * image }
  }

  /// Evaluates loss and gradient.
  ///
  /// - Parameters:
  ///   - features: f, `[B, E]`; the others have the same shape.
  ///   - targetTexts: t*.
  ///   - ownTexts: t.
  ///   - targetImages: p.
  ///   - cleanImages: n.
  package func evaluate(
    _ features: Tensor, targetTexts: Tensor, ownTexts: Tensor, targetImages: Tensor,
    cleanImages: Tensor
  ) throws(CLIPError) -> Result {
    let gradient = try Tensor.zeros(features.shape)
    let text = try addText(features, targetTexts, ownTexts, into: gradient)
    let image = addTriplets(features, targetImages, cleanImages, into: gradient)
    return Result(text: text, image: image, gradient: gradient)
  }

  /// Cross-entropy of `[B, 1 + B]` logits whose first column is right.
  private func addText(
    _ features: Tensor, _ targets: Tensor, _ own: Tensor, into gradient: Tensor
  ) throws(CLIPError) -> Double {
    let (rows, width) = (features.shape[0], features.shape[1])
    let logits = try Tensor([rows, 1 + rows])
    func text(_ row: Int, _ column: Int) -> UnsafeMutablePointer<Float> {
      column == 0 ? targets.f32 + row * width : own.f32 + (column - 1) * width
    }
    for row in 0..<rows {
      for column in 0...rows {
        let other = text(row, column)
        var cosine: Float = 0
        for k in 0..<width { cosine += features.f32[row * width + k] * other[k] }
        logits.f32[row * (1 + rows) + column] = scale * cosine
      }
    }
    let (loss, dLogits) = try CrossEntropy.evaluate(
      logits: logits, labels: [Int32](repeating: 0, count: rows))
    for row in 0..<rows {
      for column in 0...rows {
        let weight = scale * dLogits.f32[row * (1 + rows) + column]
        let other = text(row, column)
        for k in 0..<width { gradient.f32[row * width + k] += weight * other[k] }
      }
    }
    return loss
  }

  private func addTriplets(
    _ features: Tensor, _ positives: Tensor, _ negatives: Tensor, into gradient: Tensor
  ) -> Double {
    let (rows, width) = (features.shape[0], features.shape[1])
    var sum: Float = 0
    for start in stride(from: 0, to: rows * width, by: width) {
      let own = features.f32 + start
      let (near, far) = (positives.f32 + start, negatives.f32 + start)
      func distance(_ other: UnsafeMutablePointer<Float>) -> Float {
        var squares: Float = 0
        for k in 0..<width { squares += (own[k] - other[k]) * (own[k] - other[k]) }
        // Away from 0, where the gradient of a distance has no direction.
        return max(1e-6, squares.squareRoot())
      }
      let (toNear, toFar) = (distance(near), distance(far))
      let loss = toNear - toFar + Self.margin
      guard loss > 0 else { continue }
      sum += loss
      let weight = Self.imageWeight / Float(rows)
      for k in 0..<width {
        gradient.f32[start + k] +=
          weight * ((own[k] - near[k]) / toNear - (own[k] - far[k]) / toFar)
      }
    }
    return Double(sum) / Double(rows)
  }
}
