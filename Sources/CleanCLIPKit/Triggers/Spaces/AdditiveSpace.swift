internal import Glibc

/// A pattern added to every image, bounded by ε that the search drives down.
///
/// ```
/// x' = clip(x + ε tanh D, 0, 1)
/// ```
final class AdditiveSpace: TriggerSpace {
  static let name = "additive"
  static let plural = "faint patterns"
  static let imageMeaning = "patterns amplified around grey"
  static let sizeMeaning = "largest change of a pixel value, in 0 to 1"
  /// A pattern of three channels to add.
  static let planes = 3
  static let collapseThreshold: Float = 0.9
  /// Measured on clean models of the zoo's first half (`docs/detection.md`), with the weight of the
  /// smallest of these samples.
  static let usualSpread = SizeSpread(targeted: 0.19, untargeted: 0.20, weight: 12)
  static let isSearchedByDefault = true
  static let isFrequent = true
  static let streamKey: UInt64 = 1

  static func phrase(size: Float) -> String {
    "A faint pattern, at most \(roundedSize(size * 255)) of 255 brightness levels,"
  }

  static func range(side: Int) -> ClosedRange<Float> { -1...1 }

  let side: Int
  let values: Tensor
  let learningRate: Float = 0.1
  let largestSize: Float = 64 / 255
  private var bound: PenaltySchedule

  init(imageSize: Int, random: inout RandomNumbers) throws(CLIPError) {
    side = imageSize
    bound = PenaltySchedule(
      32 / 255, tighten: 0.95, loosen: 1.03, range: 0.5 / 255...64 / 255)
    values = try Tensor([3, imageSize, imageSize])
    for i in 0..<values.count { values.f32[i] = 0.3 * random.normal() }
  }

  var size: Float { bound.value }

  func numbers() -> [Float] {
    (0..<values.count).map { bound.value * tanhf(values.f32[$0]) }
  }

  static func apply(_ pattern: [Float], side: Int, images: Tensor, into output: Tensor) {
    pattern.withUnsafeBufferPointer { pattern in
      for row in 0..<images.shape[0] {
        let source = images.f32 + row * pattern.count
        let target = output.f32 + row * pattern.count
        for i in 0..<pattern.count { target[i] = min(1, max(0, source[i] + pattern[i])) }
      }
    }
  }

  /// The pattern, amplified around grey.
  static func image(_ pattern: [Float], side: Int) -> RGBImage {
    let strongest = max(1e-12, pattern.reduce(0) { max($0, abs($1)) })
    return RGBImage(side: side) { pixel, channel in
      0.5 + 0.5 * pattern[channel * side * side + pixel] / strongest
    }
  }

  func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor) {
    let pattern = numbers()
    let sums = Self.patternGradient(dOutput, images: images, pattern: pattern)
    sums.withUnsafeBufferPointer { sums in
      pattern.withUnsafeBufferPointer { pattern in
        for i in 0..<pattern.count {
          let t = pattern[i] / bound.value
          gradient.f32[i] += sums[i] * bound.value * (1 - t * t)
        }
      }
    }
  }

  /// dLoss/dPattern of a pattern that is added, given dLoss/dOutput.
  static func patternGradient(_ dOutput: Tensor, images: Tensor, pattern: [Float]) -> [Float] {
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
      }
    }
    return sums
  }

  func adjustPenalty(succeeded: Bool, into gradient: Tensor) { bound.record(succeeded: succeeded) }
}

extension TriggerKind {
  package static let additive = TriggerKind(AdditiveSpace.self)
}
