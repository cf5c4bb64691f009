internal import Glibc

/// How much alike the features of a batch are, where they are, and the gradient that brings them
/// closer.
///
/// ```
/// L = - mean_{i ≠ j} cos(f_i, f_j) + Σ over forbidden directions of max(0, cos(shift, d) - 0.2)
/// ```
///
/// with the shift of the mean feature from that of unchanged inputs.
struct CollapseLoss {
  /// Mean cosine of two different rows.
  let collapse: Float
  /// `[E]`, L2-normalized: the shift's direction.
  let direction: [Float]
  /// Whether the direction is one that is forbidden.
  let isForbidden: Bool
  /// dL/d(features), `[B, E]`.
  let gradient: Tensor

  /// Cosine above which a direction counts as one found before.
  static let sameDirection: Float = 0.5

  /// Part of the gap between the mean cosine of unchanged inputs and 1 that an untargeted trigger must
  /// close on held-out ones: half, chosen by hand.
  static let confirmedCollapse: Float = 0.5

  /// Whether the mean pairwise cosine of held-out inputs rose enough to confirm a trigger.
  static func isConfirmed(_ after: Float, from before: Float) -> Bool {
    after > before + confirmedCollapse * (1 - before)
  }

  /// - Parameters:
  ///   - features: `[B, E]`, L2-normalized.
  ///   - cleanMean: `[E]`, the mean of unchanged inputs' features.
  ///   - forbidden: directions to stay away from.
  /// - Throws: `state` for features that are not finite.
  init(_ features: Tensor, cleanMean: [Float], forbidden: [[Float]]) throws(CLIPError) {
    let batch = features.shape[0]
    let width = features.shape[1]
    var sum = [Float](repeating: 0, count: width)
    for row in 0..<batch {
      for column in 0..<width { sum[column] += features.f32[row * width + column] }
    }
    let squared = sum.reduce(0) { $0 + $1 * $1 }
    guard squared.isFinite else {
      throw CLIPError(
        .state,
        "check model: features are not finite; expected numbers, got NaN; the weights are broken")
    }
    let pairs = Float(max(1, batch * (batch - 1)))
    var dSum = sum.map { -2 * $0 / pairs }
    let shift = zip(sum, cleanMean).map { $0 / Float(batch) - $1 }
    let length = max(1e-12, shift.reduce(0) { $0 + $1 * $1 }.squareRoot())
    let direction = shift.map { $0 / length }
    var isForbidden = false
    for other in forbidden {
      let cosine = zip(direction, other).reduce(0) { $0 + $1.0 * $1.1 }
      if cosine > Self.sameDirection { isForbidden = true }
      // Pushes away before the limit is reached: dcos/dshift = (other - cos · direction) / length.
      guard cosine > Self.sameDirection - 0.3 else { continue }
      for column in 0..<width {
        dSum[column] += (other[column] - cosine * direction[column]) / length / Float(batch)
      }
    }
    let gradient = try Tensor(features.shape)
    for row in 0..<batch {
      for column in 0..<width { gradient.f32[row * width + column] = dSum[column] }
    }
    collapse = (squared - Float(batch)) / pairs
    self.direction = direction
    self.isForbidden = isForbidden
    self.gradient = gradient
  }
}
