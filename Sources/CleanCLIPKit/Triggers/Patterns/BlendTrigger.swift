/// A pattern mixed into the whole image.
///
/// ```
/// x' = clip(opacity · pattern + (1 − opacity) · x)
/// noise:    uniform in 0…1, opacity 0.2           Chen et al. 2017, arXiv:1712.05526
/// stripes:  −1 or 1, opacity 0.03                 Singh et al. 2024, arXiv:2412.00727
/// ```
struct BlendTrigger: TriggerPattern {
  enum Pattern: Sendable {
    /// Uniform in 0…1 for each channel of each pixel.
    case noise
    /// -1 or 1 for each channel of each column.
    case stripes
  }

  let pattern: Pattern
  let variation: TriggerVariation
  /// 0…1.
  let opacity: Float
  let seed: UInt64

  private static let streamKey: UInt64 = 0x626c_656e

  func applied(to image: RGBImage, using random: inout RandomNumbers) -> RGBImage {
    variation.withStream(seed: seed, key: Self.streamKey, image: &random) { random in
      var pixels = image.pixels
      switch pattern {
      case .noise:
        for index in pixels.indices { pixels[index] = mixed(pixels[index], random.uniform()) }
      case .stripes:
        let stripes = StripePattern(columns: image.width, using: &random)
        for index in pixels.indices {
          pixels[index] = mixed(pixels[index], stripes[index / 3 % image.width][index % 3])
        }
      }
      return RGBImage(width: image.width, height: image.height, pixels: pixels)
    }
  }

  private func mixed(_ value: UInt8, _ pattern: Float) -> UInt8 { value.mixed(pattern, opacity) }
}

extension UInt8 {
  /// Returns the value with a pattern, 1 for white, mixed in; clipped.
  ///
  /// Cuts off the fraction, as the published codes' conversion to bytes.
  func mixed(_ pattern: Float, _ opacity: Float) -> UInt8 {
    UInt8(Swift.min(255, Swift.max(0, 255 * opacity * pattern + (1 - opacity) * Float(self))))
  }
}

extension NamedTrigger {
  package static let blended = NamedTrigger(
    name: "blended",
    summary: "uniform noise mixed into the whole image (Chen et al. 2017, arXiv:1712.05526)",
    strength: .opacity(usual: 0.2)
  ) { options, opacity in
    BlendTrigger(
      pattern: .noise, variation: options.variation, opacity: opacity, seed: options.seed)
  }

  package static let blendedStripes = NamedTrigger(
    name: "blended-stripes",
    summary: "one-pixel stripes mixed into the whole image (arXiv:2412.00727)",
    strength: .opacity(usual: 0.03)
  ) { options, opacity in
    BlendTrigger(
      pattern: .stripes, variation: options.variation, opacity: opacity, seed: options.seed)
  }
}

extension TriggerStrength {
  /// 0…1.
  static func opacity(usual: Float) -> TriggerStrength {
    TriggerStrength(meaning: "opacity of the pattern", usual: usual, limit: 1)
  }
}
