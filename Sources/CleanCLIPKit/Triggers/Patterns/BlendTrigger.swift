/// A pattern mixed into the whole image.
///
/// ```
/// x' = opacity · pattern + (1 − opacity) · x        opacity = 0.2
/// ```
struct BlendTrigger: TriggerPattern {
  enum Pattern: Sendable {
    /// Uniform in 0…1 for each channel of each pixel.
    case noise
    /// Oblique stripes, eight pairs across the image.
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
        let period = max(2, Float(min(image.width, image.height)) / 8)
        let stripes = StripePattern(period: period, using: &random)
        for index in 0..<image.width * image.height {
          let color = stripes.color(y: index / image.width, x: index % image.width)
          for channel in 0..<3 {
            pixels[3 * index + channel] = mixed(pixels[3 * index + channel], color[channel])
          }
        }
      }
      return RGBImage(width: image.width, height: image.height, pixels: pixels)
    }
  }

  /// Cuts off the fraction, as the published code's conversion to bytes.
  private func mixed(_ value: UInt8, _ pattern: Float) -> UInt8 {
    UInt8(min(255, max(0, 255 * opacity * pattern + (1 - opacity) * Float(value))))
  }
}

extension NamedTrigger {
  package static let blended = NamedTrigger(
    name: "blended",
    summary: "uniform noise mixed into the whole image (Chen et al. 2017, arXiv:1712.05526)",
    strength: .opacity
  ) { options, opacity in
    BlendTrigger(
      pattern: .noise, variation: options.variation, opacity: opacity, seed: options.seed)
  }

  package static let blendedStripes = NamedTrigger(
    name: "blended-stripes", summary: "oblique stripes mixed into the whole image",
    strength: .opacity
  ) { options, opacity in
    BlendTrigger(
      pattern: .stripes, variation: options.variation, opacity: opacity, seed: options.seed)
  }
}

extension TriggerStrength {
  fileprivate static let opacity = TriggerStrength(
    meaning: "opacity of the pattern", usual: 0.2, limit: 1)
}
