internal import Glibc

/// WaNet: a small displacement of each pixel by a random field.
///
/// ```
/// field  = uniform(−1, 1) on k × k control points, divided by its mean absolute value
/// grid   = clip(identity(−1…1) + s · upsample(field) / m, −1, 1)      m pixels along the side
/// x'     = bilinear sample of x at grid
/// ```
///
/// Smooth, k = 4 and s = 0.5, is WaNet's warp, with bicubic upsampling between the control points.
/// Per pixel, k = m and s = 1, is that of CleanCLIP's published code: no smoothing, half a pixel of
/// jitter on average. WaNet's noise mode, a training trick of the attacker, is left out.
struct WarpTrigger: TriggerPattern {
  enum Field: Sendable {
    case smooth
    case perPixel
  }

  private static let streamKey: UInt64 = 0x7761_7270

  let field: Field
  let strength: Float
  let variation: TriggerVariation
  let seed: UInt64

  func applied(to image: RGBImage, using random: inout RandomNumbers) -> RGBImage {
    let displacements = variation.withStream(
      seed: seed, key: Self.streamKey, image: &random
    ) { random in
      switch field {
      case .smooth:
        Self.upsampled(Self.draw(4, 4, using: &random), 4, width: image.width, height: image.height)
      case .perPixel: Self.draw(image.width, image.height, using: &random)
      }
    }
    let last = SIMD2<Float>(Float(image.width - 1), Float(image.height - 1))
    // A grid of −1…1 spans the centres of the first and the last pixel.
    let scale = strength / 2 * last / SIMD2<Float>(Float(image.width), Float(image.height))
    var pixels = [UInt8](repeating: 0, count: image.pixels.count)
    for (index, displacement) in displacements.enumerated() {
      let place = SIMD2<Float>(Float(index % image.width), Float(index / image.width))
      let source = (place + scale * displacement).clamped(lowerBound: .zero, upperBound: last)
      Self.sample(image, at: source) { channel, value in pixels[3 * index + channel] = value }
    }
    return RGBImage(width: image.width, height: image.height, pixels: pixels)
  }

  private static func sample(
    _ image: RGBImage, at source: SIMD2<Float>, _ store: (Int, UInt8) -> Void
  ) {
    let x0 = Int(source.x), y0 = Int(source.y)
    let x1 = min(image.width - 1, x0 + 1), y1 = min(image.height - 1, y0 + 1)
    let dx = source.x - Float(x0), dy = source.y - Float(y0)
    for channel in 0..<3 {
      func value(_ y: Int, _ x: Int) -> Float {
        Float(image.pixels[3 * (y * image.width + x) + channel])
      }
      let top = value(y0, x0) * (1 - dx) + value(y0, x1) * dx
      let bottom = value(y1, x0) * (1 - dx) + value(y1, x1) * dx
      store(channel, UInt8(min(255, max(0, top * (1 - dy) + bottom * dy))))
    }
  }

  /// Draws a field of mean absolute value 1, (x, y) at each point.
  private static func draw(
    _ width: Int, _ height: Int, using random: inout RandomNumbers
  ) -> [SIMD2<Float>] {
    let field = (0..<width * height).map { _ in
      SIMD2<Float>(2 * random.uniform() - 1, 2 * random.uniform() - 1)
    }
    let total = field.reduce(Float(0)) { $0 + abs($1.x) + abs($1.y) }
    let mean = max(total / Float(2 * field.count), .leastNormalMagnitude)
    return field.map { $0 / mean }
  }

  /// Bicubic interpolation with aligned corners and a = −0.75, as PyTorch's `upsample`.
  private static func upsampled(
    _ field: [SIMD2<Float>], _ count: Int, width: Int, height: Int
  ) -> [SIMD2<Float>] {
    let columns = taps(from: count, to: width)
    let rows = taps(from: count, to: height)
    var result = [SIMD2<Float>]()
    result.reserveCapacity(width * height)
    for row in rows {
      // [count]: the row between the control points, still coarse along x.
      let coarse = (0..<count).map { x in
        (0..<4).reduce(SIMD2<Float>.zero) {
          $0 + row.weights[$1] * field[Int(row.indices[$1]) * count + x]
        }
      }
      for column in columns {
        var sum = SIMD2<Float>.zero
        for tap in 0..<4 { sum += column.weights[tap] * coarse[Int(column.indices[tap])] }
        result.append(sum)
      }
    }
    return result
  }

  /// The four control points around each position, repeated at the border, and their weights.
  private static func taps(
    from count: Int, to size: Int
  ) -> [(indices: SIMD4<Int32>, weights: SIMD4<Float>)] {
    (0..<size).map { index in
      let source = Float(index) * Float(count - 1) / Float(max(1, size - 1))
      let first = Int32(source)
      let positions = SIMD4<Int32>(repeating: first) &+ SIMD4(-1, 0, 1, 2)
      var weights = SIMD4<Float>.zero
      for tap in 0..<4 { weights[tap] = cubicWeight(abs(source - Float(positions[tap]))) }
      let last = SIMD4<Int32>(repeating: Int32(count - 1))
      return (positions.clamped(lowerBound: .zero, upperBound: last), weights)
    }
  }

  private static func cubicWeight(_ t: Float) -> Float {
    let a: Float = -0.75
    if t <= 1 { return ((a + 2) * t - (a + 3)) * t * t + 1 }
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0
  }
}

extension NamedTrigger {
  package static let wanet = NamedTrigger(
    name: "wanet", summary: "a smooth warp (Nguyen and Tran 2021, arXiv:2102.10369)",
    strength: .warp(usual: 0.5)
  ) { options, strength in
    WarpTrigger(
      field: .smooth, strength: strength, variation: options.variation, seed: options.seed)
  }

  package static let wanetCleanCLIP = NamedTrigger(
    name: "wanet-cleanclip",
    summary: "a displacement of up to a pixel, drawn for each pixel on its own",
    strength: .warp(usual: 1)
  ) { options, strength in
    WarpTrigger(
      field: .perPixel, strength: strength, variation: options.variation, seed: options.seed)
  }
}

extension TriggerStrength {
  fileprivate static func warp(usual: Float) -> TriggerStrength {
    TriggerStrength(meaning: "strength s of the warp", usual: usual, limit: 255)
  }
}
