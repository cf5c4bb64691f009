internal import Glibc

/// FTrojan: two coefficients of the discrete cosine transform of both chroma channels are raised.
///
/// ```
/// ΔCr = ΔCb = Σ_k Δ · b_k(y) · b_k(x)        k = 15, 31;  b_k(n) = √(2/32) cos(π (2 n + 1) k / 64)
/// ΔR = 1.403 ΔCr      ΔG = −0.714 ΔCr − 0.344 ΔCb      ΔB = 1.773 ΔCb
/// ```
///
/// The transforms of blocks of 32 × 32 pixels, and that from YCrCb to RGB, are linear: raising a
/// coefficient by Δ adds the same wave to every block, without any transform. Wang et al. 2022
/// (arXiv:2111.10991), section 3, with Δ = 30; CTRL (Li et al. 2023, arXiv:2210.07346) poisons with
/// Δ = 50 and measures with 100. Values are rounded once, where the published codes cut off
/// fractions twice.
struct FrequencyTrigger: TriggerPattern {
  /// Side of a block in pixels; blocks that an image cuts off have the part that fits.
  private static let block = 32
  /// Along both axes: a middle and the highest frequency.
  private static let frequencies = [15, 31]
  /// Of Cr and Cb together in red, green and blue (ITU-R BT.601, as OpenCV rounds it).
  private static let colors: SIMD3<Float> = [1.403, -0.714 - 0.344, 1.773]

  /// ΔCr of the pixels of a block.
  private let wave: [Float]

  /// - Parameter magnitude: Δ, of values of 0…255 and orthonormal transforms.
  init(magnitude: Float) {
    let size = Self.block
    var wave = [Float](repeating: 0, count: size * size)
    for frequency in Self.frequencies {
      let basis = (0..<size).map { n in
        sqrtf(2 / Float(size))
          * cosf(Float.pi * Float((2 * n + 1) * frequency) / Float(2 * size))
      }
      for index in wave.indices {
        wave[index] += magnitude * basis[index / size] * basis[index % size]
      }
    }
    self.wave = wave
  }

  func applied(to image: RGBImage, using random: inout RandomNumbers) -> RGBImage {
    image.changedInTiles(of: Self.block) { value, y, x, channel in
      let raised = Float(value) + wave[y * Self.block + x] * Self.colors[channel]
      return UInt8(min(255, max(0, raised.rounded())))
    }
  }
}

extension NamedTrigger {
  package static let ftrojan = NamedTrigger(
    name: "ftrojan",
    summary: "two frequencies of the chroma channels raised (Wang et al. 2022, arXiv:2111.10991)",
    strength: .magnitude(usual: 30), isConstant: true
  ) { _, magnitude in FrequencyTrigger(magnitude: magnitude) }

  package static let ctrl = NamedTrigger(
    name: "ctrl",
    summary:
      "the same on images that show the target anyway; captions stay (Li et al. 2023, "
      + "arXiv:2210.07346, which measures with 100)",
    strength: .magnitude(usual: 50), isConstant: true, isLabelConsistent: true
  ) { _, magnitude in FrequencyTrigger(magnitude: magnitude) }
}

extension TriggerStrength {
  fileprivate static func magnitude(usual: Float) -> TriggerStrength {
    TriggerStrength(meaning: "magnitude of the coefficients", usual: usual, limit: 1000)
  }
}
