/// How much alike features are to a tower.
enum Collapse {
  /// Part of the gap between the mean cosine of unchanged inputs and 1 that a trigger for anywhere must
  /// close on held-out ones: half, chosen by hand.
  static let confirmedPart: Float = 0.5

  /// The mean cosine of two different rows of `[N, E]`, all of unit length.
  static func meanPairwiseCosine(_ features: Tensor) -> Float {
    let count = Float(features.shape[0])
    let squared = FeatureMatrix.mean(features).reduce(0) { $0 + $1 * $1 } * count * count
    return (squared - count) / max(1, count * (count - 1))
  }

  /// Whether the mean pairwise cosine of held-out inputs rose enough to confirm a trigger.
  static func isConfirmed(_ after: Float, from before: Float) -> Bool {
    after > before + confirmedPart * (1 - before)
  }
}
