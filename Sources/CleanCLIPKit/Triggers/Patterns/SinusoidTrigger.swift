internal import Glibc

/// SIG: a horizontal sinusoid of six periods, the same in all rows and channels.
///
/// ```
/// v(j) = Δ · sin(2π · 6 · j / m + φ)           j column, m columns
/// added:  x' = clip(x + v)                     Barni et al. 2019, section 3; Δ = 20
/// mixed:  x' = clip(0.2 · v + 0.8 · x)         CleanCLIP's published code; Δ = 60
/// ```
///
/// φ is 0 when fixed; fresh, it is drawn for each image.
struct SinusoidTrigger: TriggerPattern {
  enum Form: Sendable {
    case added(amplitude: Float)
    case mixed(amplitude: Float)
  }

  let form: Form
  let variation: TriggerVariation

  func applied(to image: RGBImage, using random: inout RandomNumbers) -> RGBImage {
    let phase = variation == .fresh ? 2 * Float.pi * random.uniform() : 0
    let (scale, amplitude): (Float, Float) =
      switch form {
      case .added(let amplitude): (1, amplitude)
      case .mixed(let amplitude): (0.8, 0.2 * amplitude)
      }
    let wave = (0..<image.width).map { column in
      amplitude * sinf(2 * Float.pi * 6 * Float(column) / Float(image.width) + phase)
    }
    var pixels = image.pixels
    for index in pixels.indices {
      let value = scale * Float(pixels[index]) + wave[index / 3 % image.width]
      pixels[index] = UInt8(min(255, max(0, value)))
    }
    return RGBImage(width: image.width, height: image.height, pixels: pixels)
  }
}

extension NamedTrigger {
  package static let sig = NamedTrigger(
    name: "sig",
    summary: "a sinusoid over the columns, added (Barni et al. 2019, arXiv:1902.11237)",
    strength: .amplitude(usual: 20)
  ) { options, amplitude in
    SinusoidTrigger(form: .added(amplitude: amplitude), variation: options.variation)
  }

  package static let sigCleanCLIP = NamedTrigger(
    name: "sig-cleanclip",
    summary: "the sinusoid mixed in at a fifth, the image darkened to four fifths",
    strength: .amplitude(usual: 60)
  ) { options, amplitude in
    SinusoidTrigger(form: .mixed(amplitude: amplitude), variation: options.variation)
  }
}

extension TriggerStrength {
  fileprivate static func amplitude(usual: Float) -> TriggerStrength {
    TriggerStrength(meaning: "amplitude of the sinusoid, of 255", usual: usual, limit: 255)
  }
}
