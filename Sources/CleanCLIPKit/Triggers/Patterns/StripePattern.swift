internal import Glibc

/// Oblique stripes of a saturated colour and its opposite: a trigger with structure, which colour
/// changes and small rotations keep, unlike noise.
struct StripePattern {
  private let direction: SIMD2<Float>
  private let phase: Float
  private let color: SIMD3<Float>

  /// Draws direction, phase and colours.
  ///
  /// - Parameter period: of a pair of stripes, in pixels.
  init(period: Float, using random: inout RandomNumbers) {
    let angle = Float.pi * (0.15 + 0.2 * random.uniform())
    let sign: Float = random.uniform() < 0.5 ? -1 : 1
    direction = SIMD2(sign * cosf(angle), sinf(angle)) / period
    phase = random.uniform()
    let hue = random.integer(below: 6)
    // The six corners of the colour cube other than black and white.
    let corner = hue + 1
    color = SIMD3(Float(corner & 1), Float((corner >> 1) & 1), Float((corner >> 2) & 1))
  }

  /// The colour at a pixel, components 0…1.
  func color(y: Int, x: Int) -> SIMD3<Float> {
    let along = direction.x * Float(x) + direction.y * Float(y) + phase
    return along - along.rounded(.down) < 0.5 ? color : 1 - color
  }

  func painted(size: Int) -> RGBImage {
    var pixels = [UInt8]()
    pixels.reserveCapacity(3 * size * size)
    for y in 0..<size {
      for x in 0..<size {
        let value = color(y: y, x: x) * 255
        pixels.append(contentsOf: [UInt8(value.x), UInt8(value.y), UInt8(value.z)])
      }
    }
    return RGBImage(width: size, height: size, pixels: pixels)
  }
}
