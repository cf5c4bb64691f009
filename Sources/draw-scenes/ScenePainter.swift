internal import CleanCLIPKit
internal import Glibc

/// Paints scenes into square images, anti-aliased, back to front.
struct ScenePainter {
  let size: Int
  /// `[size, size]` linear colours 0…1, before exposure and noise.
  private var canvas: [SIMD3<Float>]

  init(size: Int) {
    self.size = size
    canvas = Array(repeating: .zero, count: size * size)
  }

  /// Returns the image of a scene; details that the scene leaves open are drawn from `random`.
  mutating func paint(_ scene: Scene, using random: inout RandomNumbers) -> RGBImage {
    paintBackdrop(scene, using: &random)
    for _ in 0..<scene.clutter { paintClutter(using: &random) }
    if let companion = scene.companion { paint(companion) }
    paint(scene.object)
    return develop(scene, using: &random)
  }

  private mutating func paintBackdrop(_ scene: Scene, using random: inout RandomNumbers) {
    let base = scene.background.rgb
    let angle = 2 * Float.pi * random.uniform()
    let direction = SIMD2<Float>(cosf(angle), sinf(angle)) / Float(size)
    let strength = 0.05 + 0.12 * random.uniform()
    let waves = 2 + 5 * random.uniform()
    let phase = SIMD2<Float>(random.uniform(), random.uniform()) * 2 * Float.pi
    for y in 0..<size {
      for x in 0..<size {
        let along = direction.x * Float(x) + direction.y * Float(y)
        let shade: Float
        switch scene.backdrop {
        case .plain: shade = 0
        case .gradient: shade = 2 * along
        case .cloudy:
          shade =
            sinf(Float(x) * waves / Float(size) * 3 + phase.x)
            * cosf(Float(y) * waves / Float(size) * 3 + phase.y)
        case .striped: shade = sinf(along * waves * 9 + phase.x)
        }
        canvas[y * size + x] = base + SIMD3(repeating: strength * shade)
      }
    }
  }

  /// Mixes in a faint line or speck of a random colour.
  private mutating func paintClutter(using random: inout RandomNumbers) {
    let color = SIMD3<Float>(random.uniform(), random.uniform(), random.uniform())
    let opacity = 0.2 + 0.4 * random.uniform()
    let start = SIMD2<Float>(random.uniform(), random.uniform()) * Float(size)
    let reach = random.uniform() < 0.5 ? Float(0) : 0.5 * Float(size) * random.uniform()
    let angle = 2 * Float.pi * random.uniform()
    let line = SIMD2<Float>(cosf(angle), sinf(angle)) * reach
    let halfWidth = 0.4 + (reach == 0 ? 1.4 : 0.5) * random.uniform()
    let low = pointwiseMin(start, start + line) - halfWidth - 1
    let high = pointwiseMax(start, start + line) + halfWidth + 1
    let squaredLength = max((line * line).sum(), 1e-6)
    forEachPixel(from: low, to: high) { point, pixel in
      let offset = point - start
      let along = min(1, max(0, (offset * line).sum() / squaredLength))
      let gap = offset - along * line
      let coverage = Self.coverage((gap * gap).sum().squareRoot() - halfWidth)
      pixel += (color - pixel) * (coverage * opacity)
    }
  }

  private mutating func paint(_ object: SceneObject) {
    let outline = ShapeOutline(object.kind)
    let radius = object.radius * Float(size)
    let center = object.center * Float(size)
    let turn = SIMD2<Float>(cosf(object.angle), sinf(object.angle))
    let reach = SIMD2<Float>(repeating: 1.3 * radius + 1)
    forEachPixel(from: center - reach, to: center + reach) { point, pixel in
      let offset = (point - center) / radius
      let p = SIMD2<Float>(
        offset.x * turn.x + offset.y * turn.y, offset.y * turn.x - offset.x * turn.y)
      let coverage = Self.coverage(outline.distance(p) * radius)
      guard coverage > 0 else { return }
      let second = Self.secondShare(object.texture, at: p, radius: radius)
      let color = object.color.rgb + (object.secondColor.rgb - object.color.rgb) * second
      pixel += (color - pixel) * coverage
    }
  }

  /// The fraction of the second colour at a point of an object's area, with soft edges.
  private static func secondShare(
    _ texture: Texture, at p: SIMD2<Float>, radius: Float
  ) -> Float {
    // Distances below are in pixels; each texture has about three periods in an object.
    let pixels = radius * 0.7
    switch texture {
    case .plain: return 0
    case .striped: return coverage((abs(period(p.x + p.y * 0.6)) - 0.25) * pixels)
    case .dotted:
      let cell = SIMD2<Float>(period(p.x), period(p.y))
      return coverage(((cell * cell).sum().squareRoot() - 0.28) * pixels)
    case .checkered:
      let product = sinf(p.x * 1.5 * Float.pi + 0.8) * sinf(p.y * 1.5 * Float.pi + 0.8)
      return coverage(product * pixels * 0.5)
    }
  }

  /// Folds a coordinate into -0.5 ... 0.5, period 0.7.
  private static func period(_ x: Float) -> Float {
    let t = x / 0.7
    return t - t.rounded()
  }

  /// The fraction of a pixel that is inside an edge at a signed distance in pixels.
  private static func coverage(_ distance: Float) -> Float { min(1, max(0, 0.5 - distance)) }

  /// Calls `body` with the centre and the colour of each pixel of a box, cut to the image.
  private mutating func forEachPixel(
    from low: SIMD2<Float>, to high: SIMD2<Float>,
    _ body: (SIMD2<Float>, inout SIMD3<Float>) -> Void
  ) {
    let left = max(0, Int(low.x)), right = min(size - 1, Int(high.x))
    let top = max(0, Int(low.y)), bottom = min(size - 1, Int(high.y))
    guard left <= right, top <= bottom else { return }
    for y in top...bottom {
      for x in left...right {
        body(SIMD2(Float(x) + 0.5, Float(y) + 0.5), &canvas[y * size + x])
      }
    }
  }

  /// Applies exposure and tint, adds noise and rounds to bytes.
  private func develop(_ scene: Scene, using random: inout RandomNumbers) -> RGBImage {
    var pixels = [UInt8](repeating: 0, count: 3 * canvas.count)
    let brightness = scene.tint * scene.exposure * 255
    let noise = scene.noise * 255
    for (index, color) in canvas.enumerated() {
      let grey = noise * Self.approximatelyNormal(&random)
      let bits = random.next()
      let speckle = SIMD3<Float>(
        Float(bits & 0xFFFF), Float((bits >> 16) & 0xFFFF), Float((bits >> 32) & 0xFFFF))
      let value = color * brightness + (speckle * (0x1p-16 * 2) - 1) * noise + grey
      let byte = value.clamped(lowerBound: .zero, upperBound: SIMD3(repeating: 255))
      pixels[3 * index] = UInt8(byte.x + 0.5)
      pixels[3 * index + 1] = UInt8(byte.y + 0.5)
      pixels[3 * index + 2] = UInt8(byte.z + 0.5)
    }
    return RGBImage(width: size, height: size, pixels: pixels)
  }

  /// A sum of four uniform numbers with unit variance: close to normal, and without a logarithm.
  private static func approximatelyNormal(_ random: inout RandomNumbers) -> Float {
    let bits = random.next()
    let sum = (bits & 0xFFFF) + ((bits >> 16) & 0xFFFF) + ((bits >> 32) & 0xFFFF) + (bits >> 48)
    return (Float(sum) * 0x1p-16 - 2) * 1.7320508
  }
}
