internal import Glibc

/// A mask, shared by the three channels, and a pattern (DECREE, Feng et al. 2023, equation 5).
///
/// ```
/// x' = (1 - m) x + m p      m = (tanh M + 1) / 2      p = (tanh P + 1) / 2
/// penalty = λ · PL1         PL1 = Σ|m| / (3HW), the mask counted once for each channel
/// ```
final class PatchSpace: TriggerSpace {
  static let name = "patch"
  static let plural = "small patches"
  static let imageMeaning = "patches on grey"
  static let sizeMeaning = "fraction of the image that the mask covers (sum of the mask over 3HW)"
  /// The mask, and the pattern's three channels, all in 0…1.
  static let planes = 4
  static let collapseThreshold: Float = 0.9
  /// Measured on clean models of the zoo's first half (`docs/detection.md`), with the weight of the
  /// smallest of these samples.
  static let usualSpread = SizeSpread(targeted: 0.45, untargeted: 0.33, weight: 12)
  static let isSearchedByDefault = true
  static let isFrequent = true
  static let streamKey: UInt64 = 0

  static func phrase(size: Float) -> String {
    "A patch that covers \(percent(Double(size), 2)) of an image"
  }

  static func range(side: Int) -> ClosedRange<Float> { 0...1 }

  let side: Int
  let values: Tensor
  let learningRate: Float = 0.5
  let largestSize: Float = 0.25
  private var penalty = PenaltySchedule(12, tighten: 1.5, loosen: 1 / 1.5, range: 1e-3...1e6)

  init(imageSize: Int, random: inout RandomNumbers) throws(CLIPError) {
    side = imageSize
    values = try Tensor([4, imageSize, imageSize])
    for i in 0..<values.count {
      values.f32[i] = atanhf((random.uniform() - 0.5) * (2 - 1e-6))
    }
  }

  private var area: Int { side * side }

  func numbers() -> [Float] {
    (0..<4 * area).map { 0.5 + 0.5 * tanhf(values.f32[$0]) }
  }

  var size: Float {
    var sum: Float = 0
    for i in 0..<area { sum += 0.5 + 0.5 * tanhf(values.f32[i]) }
    return sum / Float(area)
  }

  static func apply(_ numbers: [Float], side: Int, images: Tensor, into output: Tensor) {
    let area = side * side
    numbers.withUnsafeBufferPointer { numbers in
      for row in 0..<images.shape[0] * 3 {
        let source = images.f32 + row * area
        let target = output.f32 + row * area
        let pattern = (row % 3 + 1) * area
        for i in 0..<area {
          target[i] = source[i] + numbers[i] * (numbers[pattern + i] - source[i])
        }
      }
    }
  }

  /// The patch on grey.
  static func image(_ numbers: [Float], side: Int) -> RGBImage {
    let area = side * side
    return RGBImage(side: side) { pixel, channel in
      0.5 + numbers[pixel] * (numbers[(channel + 1) * area + pixel] - 0.5)
    }
  }

  func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor) {
    let area = area
    var sums = [Float](repeating: 0, count: 4 * area)
    numbers().withUnsafeBufferPointer { numbers in
      sums.withUnsafeMutableBufferPointer { sums in
        for row in 0..<images.shape[0] * 3 {
          let source = images.f32 + row * area
          let d = dOutput.f32 + row * area
          let pattern = (row % 3 + 1) * area
          for i in 0..<area {
            sums[i] += d[i] * (numbers[pattern + i] - source[i])
            sums[pattern + i] += d[i] * numbers[i]
          }
        }
        // d tanh: dm/dM = 2 m (1 - m)
        for i in 0..<4 * area {
          gradient.f32[i] += sums[i] * 2 * numbers[i] * (1 - numbers[i])
        }
      }
    }
  }

  func adjustPenalty(succeeded: Bool, into gradient: Tensor) {
    let weight = penalty.value / Float(area)
    for i in 0..<area {
      let m = 0.5 + 0.5 * tanhf(values.f32[i])
      gradient.f32[i] += weight * 2 * m * (1 - m)
    }
    penalty.record(succeeded: succeeded)
  }
}

extension TriggerKind {
  package static let patch = TriggerKind(PatchSpace.self)
}
