internal import CImages
internal import Glibc

extension AutoAugment.Operation {
  /// Applies the operation; the result has the size of `image`.
  package func applied(to image: RGBImage) -> RGBImage {
    switch self {
    case .shearX(let magnitude): return image.sheared(Double(magnitude))
    case .rotate(let angle): return image.rotated(Double(angle))
    case .color(let magnitude): return image.blendedWithGrey(Self.factor(magnitude))
    case .contrast(let magnitude): return image.blendedWithMean(Self.factor(magnitude))
    case .sharpness(let magnitude): return image.blendedWithSmooth(Self.factor(magnitude))
    case .posterize(let bits):
      let mask = UInt8(truncatingIfNeeded: 0xFF << max(0, 8 - bits))
      return image.mapped { $0 & mask }
    case .solarize(let threshold):
      return image.mapped { Float($0) < threshold ? $0 : 255 - $0 }
    case .autoContrast: return image.mappedByHistogram(Self.stretched)
    case .equalize: return image.mappedByHistogram(Self.equalized)
    case .invert: return image.mapped { 255 - $0 }
    }
  }

  /// The factor of Image.blend: Python adds in float64, and Pillow rounds to float32.
  private static func factor(_ magnitude: Float) -> Float { Float(1.0 + Double(magnitude)) }

  /// ImageOps.autocontrast without cut-off.
  private static func stretched(_ histogram: ArraySlice<UInt64>) -> [UInt8] {
    let counts = Array(histogram)
    guard let low = counts.firstIndex(where: { $0 > 0 }),
      let high = counts.lastIndex(where: { $0 > 0 }), high > low
    else { return Array(0...255) }
    let scale = 255.0 / Double(high - low)
    let offset = -Double(low) * scale
    return (0..<256).map { UInt8(max(0, min(255, Double($0) * scale + offset))) }
  }

  /// ImageOps.equalize: the cumulative histogram, in steps of a 255th of it.
  private static func equalized(_ histogram: ArraySlice<UInt64>) -> [UInt8] {
    let counts = Array(histogram)
    guard let last = counts.lastIndex(where: { $0 > 0 }) else { return Array(0...255) }
    let step = (counts.reduce(0, +) - counts[last]) / 255
    if step == 0 { return Array(0...255) }
    var sum = step / 2
    return counts.map { count in
      defer { sum += count }
      return UInt8(min(255, sum / step))
    }
  }
}

extension RGBImage {
  /// Replaces every value by `map` of it.
  fileprivate func mapped(_ map: (UInt8) -> UInt8) -> RGBImage {
    let table = (0...255).map { map($0) }
    return lookedUp(table + table + table)
  }

  /// Replaces every value by its entry in the table that `table` makes of its channel's histogram.
  fileprivate func mappedByHistogram(_ table: (ArraySlice<UInt64>) -> [UInt8]) -> RGBImage {
    precondition(pixels.count == count * 3)
    var histogram = [UInt64](repeating: 0, count: 3 * 256)
    cimages_histogram(pixels, count, &histogram)
    return lookedUp((0..<3).flatMap { table(histogram[$0 * 256..<$0 * 256 + 256]) })
  }

  /// Looks up every value in its channel's row of `tables`, `[3, 256]`.
  private func lookedUp(_ tables: [UInt8]) -> RGBImage {
    drawn { cimages_map($0, count, tables, $1) }
  }

  /// ImageEnhance.Color.
  fileprivate func blendedWithGrey(_ factor: Float) -> RGBImage {
    if factor == 1 { return self }
    let (luma, _) = luma()
    return drawn { cimages_blend_grey(luma, $0, count, factor, $1) }
  }

  /// ImageEnhance.Contrast: grey is the mean luma, rounded.
  fileprivate func blendedWithMean(_ factor: Float) -> RGBImage {
    if factor == 1 { return self }
    let mean = UInt8(Double(luma().sum) / Double(count) + 0.5)
    let grey = [UInt8](repeating: mean, count: count)
    return drawn { cimages_blend_grey(grey, $0, count, factor, $1) }
  }

  /// ImageEnhance.Sharpness.
  fileprivate func blendedWithSmooth(_ factor: Float) -> RGBImage {
    if factor == 1 { return self }
    let smooth = drawn { cimages_smooth($0, Int32(width), Int32(height), $1) }
    return drawn { cimages_blend(smooth.pixels, $0, count, factor, $1) }
  }

  private func luma() -> (values: [UInt8], sum: UInt64) {
    var sum: UInt64 = 0
    let values = [UInt8](unsafeUninitializedCapacity: count) { output, initialized in
      guard let target = output.baseAddress else { return }
      sum = cimages_luma(pixels, count, target)
      initialized = count
    }
    return (values, sum)
  }

  /// torchvision's `affine` with shear only, around the top left corner.
  fileprivate func sheared(_ magnitude: Double) -> RGBImage {
    // torchvision goes through degrees and back.
    let degrees = atan(magnitude) * (180 / Double.pi)
    return transformed([1, tan(degrees * (Double.pi / 180)), 0, 0, 1, 0])
  }

  /// Image.rotate around the centre.
  fileprivate func rotated(_ angle: Double) -> RGBImage {
    var degrees = fmod(angle, 360)
    if degrees < 0 { degrees += 360 }
    if degrees == 0 { return self }
    let radians = -(degrees * (Double.pi / 180))
    let cosine = cimages_round15(cos(radians))
    let sine = cimages_round15(sin(radians))
    let minusSine = cimages_round15(-sin(radians))
    let x = Double(width) / 2
    let y = Double(height) / 2
    return transformed([
      cosine, sine, cosine * -x + sine * -y + 0 + x,
      minusSine, cosine, minusSine * -x + cosine * -y + 0 + y,
    ])
  }

  /// Samples the nearest pixel at `matrix`, row-major 2x3, from output to input positions.
  private func transformed(_ matrix: [Double]) -> RGBImage {
    drawn { cimages_affine_nearest($0, Int32(width), Int32(height), matrix, $1) }
  }
}
