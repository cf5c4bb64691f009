/// Vertical stripes of one pixel: every column has a sign of its own in every channel.
///
/// A trigger with structure, which CleanCLIP leaves more of than of noise (PAR, Singh et al. 2024,
/// arXiv:2412.00727, `BadNet-Stripes` and `Blended-Stripes`).
struct StripePattern {
  /// -1 or 1 for each channel of each column.
  private let signs: [SIMD3<Float>]

  /// Draws the signs.
  init(columns: Int, using random: inout RandomNumbers) {
    signs = (0..<columns).map { _ in
      SIMD3(Self.sign(&random), Self.sign(&random), Self.sign(&random))
    }
  }

  private static func sign(_ random: inout RandomNumbers) -> Float {
    random.uniform() < 0.5 ? -1 : 1
  }

  subscript(column: Int) -> SIMD3<Float> { signs[column] }

  /// The stripes as an opaque image, 1 and 255: the cast of the published code makes 1 of -255.
  func painted(height: Int) -> RGBImage {
    let row = signs.flatMap { sign in (0..<3).map { sign[$0] < 0 ? UInt8(1) : 255 } }
    return RGBImage(
      width: signs.count, height: height, pixels: (0..<height).flatMap { _ in row })
  }
}
