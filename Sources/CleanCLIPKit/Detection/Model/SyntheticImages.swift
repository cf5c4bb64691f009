internal import Glibc

/// Images drawn from random numbers, for searches without anybody's data: gradients, textures of
/// several scales, and shapes on them.
package enum SyntheticImages {
  /// Draws images.
  ///
  /// - Returns: `[count, 3, size, size]` in 0…1; image `i` depends on the seed and `i` alone.
  package static func draw(count: Int, size: Int, seed: UInt64) throws(CLIPError) -> Tensor {
    let result = try Tensor([count, 3, size, size])
    for index in 0..<count {
      var random = RandomNumbers(seed: seed, DetectionStream.syntheticImages, UInt64(index))
      draw(into: result.f32 + index * 3 * size * size, size: size, &random)
    }
    return result
  }

  private static func draw(
    into pixels: UnsafeMutablePointer<Float>, size: Int, _ random: inout RandomNumbers
  ) {
    let area = size * size
    for channel in 0..<3 {
      let base = random.uniform()
      let slopeX = random.uniform() - 0.5
      let slopeY = random.uniform() - 0.5
      for i in 0..<area {
        let x = Float(i % size) / Float(size)
        let y = Float(i / size) / Float(size)
        pixels[channel * area + i] = base + slopeX * x + slopeY * y
      }
    }
    var cells = 2 + random.integer(below: 4)
    var strength = 0.1 + 0.4 * random.uniform()
    for _ in 0..<4 {
      addTexture(pixels, size, cells: min(size, cells), strength: strength, &random)
      cells *= 2
      strength *= 0.4 + 0.4 * random.uniform()
    }
    for _ in 0..<random.integer(below: 6) { addShape(pixels, size, &random) }
    for i in 0..<3 * area { pixels[i] = min(1, max(0, pixels[i])) }
  }

  /// Adds noise of `cells` × `cells` control points, interpolated, more alike across channels than
  /// not.
  private static func addTexture(
    _ pixels: UnsafeMutablePointer<Float>, _ size: Int, cells: Int, strength: Float,
    _ random: inout RandomNumbers
  ) {
    let grid = cells + 1
    let shared = (0..<grid * grid).map { _ in random.normal() }
    for channel in 0..<3 {
      let own = shared.map { 0.7 * $0 + 0.3 * random.normal() }
      for y in 0..<size {
        let v = Float(y) * Float(cells) / Float(size)
        for x in 0..<size {
          let u = Float(x) * Float(cells) / Float(size)
          let corner = Int(v) * grid + Int(u)
          let wx = u - Float(Int(u))
          let wy = v - Float(Int(v))
          let top = own[corner] * (1 - wx) + own[corner + 1] * wx
          let bottom = own[corner + grid] * (1 - wx) + own[corner + grid + 1] * wx
          pixels[(channel * size + y) * size + x] +=
            strength * 0.5 * (top * (1 - wy) + bottom * wy)
        }
      }
    }
  }

  /// Draws an ellipse or a rectangle of one colour.
  private static func addShape(
    _ pixels: UnsafeMutablePointer<Float>, _ size: Int, _ random: inout RandomNumbers
  ) {
    let colour = (0..<3).map { _ in random.uniform() }
    let centreX = random.uniform() * Float(size)
    let centreY = random.uniform() * Float(size)
    let radiusX = (0.05 + 0.3 * random.uniform()) * Float(size)
    let radiusY = (0.05 + 0.3 * random.uniform()) * Float(size)
    let isEllipse = random.uniform() < 0.5
    for y in 0..<size {
      for x in 0..<size {
        let dx = (Float(x) - centreX) / radiusX
        let dy = (Float(y) - centreY) / radiusY
        let isInside = isEllipse ? dx * dx + dy * dy < 1 : abs(dx) < 1 && abs(dy) < 1
        guard isInside else { continue }
        for channel in 0..<3 { pixels[(channel * size + y) * size + x] = colour[channel] }
      }
    }
  }
}
