internal import Glibc

/// A bounded pattern that is added to every image.
///
/// ```
/// x' = clip(x + s ε tanh D, 0, 1)        s the strength
/// ```
package final class PatternTrigger: LearnedTrigger {
  package let family = TriggerFamily.additive
  /// D, `[3, S, S]`.
  package let values: Tensor
  package let learningRate: Float = 0.1
  private let bound: Float
  private var strength: Float = 1

  /// - Parameters:
  ///   - values: `[3, S, S]`, adopted.
  ///   - bound: ε, the largest change of a pixel value.
  init(values: Tensor, bound: Float) {
    self.values = values
    self.bound = bound
  }

  /// - Parameter bound: ε, the largest change of a pixel value.
  package convenience init(
    imageSize: Int, bound: Float, random: inout RandomNumbers
  ) throws(CLIPError) {
    let values = try Tensor([3, imageSize, imageSize])
    for i in 0..<values.count { values.f32[i] = 2 * random.uniform() - 1 }
    self.init(values: values, bound: bound)
  }

  package func vary(strength: Float, using random: inout RandomNumbers) { self.strength = strength }

  private func pattern(strength: Float) -> [Float] {
    (0..<values.count).map { strength * bound * tanhf(values.f32[$0]) }
  }

  package func apply(to images: Tensor, into output: Tensor) {
    AdditiveSpace.apply(
      pattern(strength: strength), side: values.shape[1], images: images, into: output)
  }

  package func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor) {
    let pattern = pattern(strength: strength)
    let reach = strength * bound
    pattern.withUnsafeBufferPointer { pattern in
      for row in 0..<images.shape[0] {
        let source = images.f32 + row * pattern.count
        let d = dOutput.f32 + row * pattern.count
        for i in 0..<pattern.count {
          let value = source[i] + pattern[i]
          // No gradient where the image is clipped.
          guard value >= 0 && value <= 1 else { continue }
          let t = pattern[i] / reach
          gradient.f32[i] += d[i] * reach * (1 - t * t)
        }
      }
    }
  }

  package func copy() throws(CLIPError) -> any LearnedTrigger {
    PatternTrigger(values: try values.copy(), bound: bound)
  }

  package var record: TriggerRecord {
    TriggerRecord(form: .pattern, family: family, arrays: [[bound], values.floats()])
  }

  package func snapshot() -> FoundTrigger? {
    FoundTrigger(
      kind: .additive, size: bound, side: values.shape[1], numbers: pattern(strength: 1))
  }
}
