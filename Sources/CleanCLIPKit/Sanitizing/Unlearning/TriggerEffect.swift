/// What a trigger does to the features of held-out images.
///
/// An image counts as hit when its feature with the trigger is nearer to where the trigger takes images
/// on the searched model than to what the image means. No text and no label is needed.
struct TriggerEffect {
  /// `[E]`, L2-normalized: where the trigger takes images.
  let center: [Float]
  /// Images that are not near the center without a trigger.
  private let others: [Int]
  /// f0, `[n, E]`.
  private let meanings: Tensor

  /// Cosine with the center from which an image belongs to the target itself.
  private static let nearTarget: Float = 0.7

  /// - Parameters:
  ///   - triggered: `[n, E]`, L2-normalized: of the model that the trigger was recovered on.
  ///   - meanings: `[n, E]`, L2-normalized: of the poisoned model, without the trigger.
  init(triggered: Tensor, meanings: Tensor) {
    let mean = FeatureMatrix.mean(triggered)
    let length = max(1e-12, mean.reduce(0) { $0 + $1 * $1 }.squareRoot())
    let center = mean.map { $0 / length }
    self.center = center
    self.meanings = meanings
    others = (0..<meanings.shape[0]).filter { row in
      Self.cosine(meanings, row, center) < Self.nearTarget
    }
  }

  /// How many images are hit.
  ///
  /// - Parameter features: `[n, E]`, L2-normalized: of any model, with or without the trigger.
  func hits(_ features: Tensor) -> Proportion {
    let width = features.shape[1]
    let hit = others.count { row in
      var own: Float = 0
      for k in 0..<width {
        own += features.f32[row * width + k] * meanings.f32[row * width + k]
      }
      return Self.cosine(features, row, center) > own
    }
    return Proportion(hit, of: others.count)
  }

  private static func cosine(_ features: Tensor, _ row: Int, _ center: [Float]) -> Float {
    let values = features.f32 + row * center.count
    return center.indices.reduce(0) { $0 + center[$1] * values[$1] }
  }
}

extension Tensor {
  /// The mean cosine of the rows of two matrices of L2-normalized rows.
  func meanCosine(_ other: Tensor) -> Float {
    precondition(shape == other.shape && shape.rank == 2)
    var sum: Float = 0
    for i in 0..<count { sum += f32[i] * other.f32[i] }
    return sum / Float(max(1, shape[0]))
  }
}
