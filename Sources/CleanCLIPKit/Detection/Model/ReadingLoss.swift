/// How far images are from being classified as one text of several.
///
/// ```
/// L = mean over i of max(-κ, max_{j ≠ c} cos(f_i, t_j) - cos(f_i, t_c))
/// ```
///
/// the margin loss of Carlini and Wagner (2017, arXiv:1608.04644, f₆) in cosines, with κ = 0.05:
/// unlike cross-entropy it does not depend on the logit scale.
package struct ReadingLoss {
  /// L.
  package let value: Float
  /// Fraction of the images that are classified as the text.
  package let fraction: Float
  /// dL/d(features), `[B, E]`.
  package let gradient: Tensor

  private static let confidence: Float = 0.05

  /// - Parameters:
  ///   - features: `[B, E]`, L2-normalized.
  ///   - target: c, a row of the vocabulary.
  ///   - vocabulary: at least two texts.
  package init(
    _ features: Tensor, as target: Int, of vocabulary: TextVocabulary
  ) throws(CLIPError) {
    let batch = features.shape[0]
    let width = features.shape[1]
    let names = vocabulary.names.count
    precondition(names > 1 && (0..<names).contains(target), "a text and a rival")
    let similarities = try vocabulary.similarities(features)
    let gradient = try Tensor.zeros(features.shape)
    let texts = vocabulary.features.f32
    var read = 0
    var sum: Float = 0
    for row in 0..<batch {
      let cosines = similarities.f32 + row * names
      let rival = vocabulary.rival(of: target, by: cosines)
      let margin = cosines[rival] - cosines[target]
      if margin < 0 { read += 1 }
      sum += max(-Self.confidence, margin)
      guard margin > -Self.confidence else { continue }
      for k in 0..<width {
        gradient.f32[row * width + k] =
          (texts[rival * width + k] - texts[target * width + k]) / Float(batch)
      }
    }
    value = sum / Float(batch)
    fraction = Float(read) / Float(batch)
    self.gradient = gradient
  }
}
