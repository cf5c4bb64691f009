internal import Glibc

/// A pattern added to every image, bounded by ε that the search drives down.
///
/// ```
/// x' = clip(x + ε tanh D, 0, 1)
/// ```
final class AdditiveSpace: TriggerSpace {
  let kind = TriggerKind.additive
  let values: Tensor
  let learningRate: Float = 0.1
  let largestSize: Float = 64 / 255
  private let side: Int
  private var bound: PressureSchedule

  init(imageSize: Int, random: inout RandomNumbers) throws(CLIPError) {
    side = imageSize
    bound = PressureSchedule(
      32 / 255, tighten: 0.95, loosen: 1.03, range: 0.5 / 255...64 / 255)
    values = try Tensor([3, imageSize, imageSize])
    for i in 0..<values.count { values.f32[i] = 0.3 * random.normal() }
  }

  var size: Float { bound.value }

  private func pattern() -> [Float] {
    (0..<values.count).map { bound.value * tanhf(values.f32[$0]) }
  }

  static func add(_ pattern: [Float], images: Tensor, into output: Tensor) {
    pattern.withUnsafeBufferPointer { pattern in
      for row in 0..<images.shape[0] {
        let source = images.f32 + row * pattern.count
        let target = output.f32 + row * pattern.count
        for i in 0..<pattern.count { target[i] = min(1, max(0, source[i] + pattern[i])) }
      }
    }
  }

  func apply(to images: Tensor, into output: Tensor) {
    Self.add(pattern(), images: images, into: output)
  }

  func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor) {
    let pattern = pattern()
    var sums = [Float](repeating: 0, count: pattern.count)
    sums.withUnsafeMutableBufferPointer { sums in
      pattern.withUnsafeBufferPointer { pattern in
        for row in 0..<images.shape[0] {
          let source = images.f32 + row * pattern.count
          let d = dOutput.f32 + row * pattern.count
          for i in 0..<pattern.count {
            let value = source[i] + pattern[i]
            // No gradient where the image is clipped.
            if value >= 0 && value <= 1 { sums[i] += d[i] }
          }
        }
        for i in 0..<pattern.count {
          let t = pattern[i] / bound.value
          gradient.f32[i] += sums[i] * bound.value * (1 - t * t)
        }
      }
    }
  }

  func press(succeeded: Bool, into gradient: Tensor) { bound.record(succeeded: succeeded) }

  func snapshot() -> FoundTrigger {
    FoundTrigger(kind: kind, size: size, side: side, numbers: pattern())
  }
}
