internal import Glibc

/// A smooth displacement field, bounded by a number of pixels that the search drives down.
///
/// ```
/// d = a · U tanh(C) Uᵀ      C: k × k control points for each axis, U: linear interpolation
/// x'(p) = bilinear sample of x at p + d(p), clamped to the image
/// ```
package final class WarpSpace: TriggerSpace {
  static let name = "warp"
  static let plural = "smooth warps"
  static let imageMeaning = "displacements as red and green"
  static let sizeMeaning = "largest displacement, in pixels"
  /// Displacements in pixels along columns, then rows.
  static let planes = 2
  static let collapseThreshold: Float = 0.85
  /// Between the classes of small towers 0.02, for no warp reaches most of them; more where images are larger.
  static let usualSpread = SizeSpread(targeted: 0.25, untargeted: 0.2, weight: 8)
  static let isSearchedByDefault = true
  static let streamKey: UInt64 = 2

  static func phrase(size: Float) -> String {
    "A bend of at most \(roundedSize(size)) pixels"
  }

  static func range(side: Int) -> ClosedRange<Float> { -Float(side)...Float(side) }

  let side: Int
  let values: Tensor
  let learningRate: Float = 0.1
  let largestSize: Float
  private var bound: PenaltySchedule

  /// Control points along each axis.
  static let points = 8

  /// Where a search's bound starts, as a fraction of the side.
  static let firstBound: Float = 1 / 8

  convenience init(imageSize: Int, random: inout RandomNumbers) throws(CLIPError) {
    try self.init(
      imageSize: imageSize, bound: Self.firstBound * Float(imageSize), random: &random)
  }

  /// - Parameter first: the bound at first, in pixels.
  init(
    imageSize: Int, bound first: Float, random: inout RandomNumbers
  ) throws(CLIPError) {
    side = imageSize
    largestSize = Float(imageSize) / 2
    bound = PenaltySchedule(
      first, tighten: 0.95, loosen: 1.03, range: 0.05...largestSize)
    values = try Tensor([2, Self.points, Self.points])
    for i in 0..<values.count { values.f32[i] = 0.5 * random.normal() }
  }

  /// Where the bound of a scanned warp starts, as a fraction of the side.
  private static let scannedBound: Float = 3 / 16
  /// Warps of a scan, and points along each axis that they are drawn at: smoother ones every other time, as
  /// attackers draw them (WaNet, Nguyen and Tran 2021, arXiv:2102.10369).
  private static let scanned = 128
  private static let drawnPoints = [4, 8]

  static func candidates(imageSize: Int) throws(CLIPError) -> [any TriggerSpace] {
    try drawn(imageSize: imageSize)
  }

  /// Draws the warps of a scan, always the same.
  package static func drawn(imageSize: Int) throws(CLIPError) -> [WarpSpace] {
    var random = RandomNumbers(seed: 0, streamKey)
    var list: [WarpSpace] = []
    for number in 0..<scanned {
      let space = try WarpSpace(
        imageSize: imageSize, bound: scannedBound * Float(imageSize), random: &random)
      space.draw(drawnPoints[number % drawnPoints.count], &random)
      list.append(space)
    }
    return list
  }

  /// Draws the control points between `count` × `count` normal numbers for each axis.
  private func draw(_ count: Int, _ random: inout RandomNumbers) {
    let drawn = (0..<2 * count * count).map { _ in random.normal() }
    for axis in 0..<2 {
      for v in 0..<Self.points {
        let (y, wy) = Self.interval(v, Self.points, of: count)
        for u in 0..<Self.points {
          let (x, wx) = Self.interval(u, Self.points, of: count)
          let base = (axis * count + y) * count + x
          let top = drawn[base] * (1 - wx) + drawn[base + 1] * wx
          let bottom = drawn[base + count] * (1 - wx) + drawn[base + count + 1] * wx
          values.f32[(axis * Self.points + v) * Self.points + u] = top * (1 - wy) + bottom * wy
        }
      }
    }
  }

  var size: Float { bound.value }

  /// The two of `points` points around place `i` of `side`, and the weight of the second.
  private static func interval(
    _ i: Int, _ side: Int, of points: Int = points
  ) -> (first: Int, weight: Float) {
    let place = Float(i) * Float(points - 1) / Float(max(1, side - 1))
    let first = min(points - 2, Int(place))
    return (first, place - Float(first))
  }

  /// Displacements `[2, S, S]` in pixels: columns, then rows.
  package func numbers() -> [Float] { field(1) }

  /// Displacements as `numbers` returns them, times a strength.
  func field(_ strength: Float) -> [Float] {
    let points = Self.points
    let controls = (0..<values.count).map { strength * bound.value * tanhf(values.f32[$0]) }
    var field = [Float](repeating: 0, count: 2 * side * side)
    for axis in 0..<2 {
      for y in 0..<side {
        let (v, wy) = Self.interval(y, side)
        for x in 0..<side {
          let (u, wx) = Self.interval(x, side)
          let base = (axis * points + v) * points + u
          let top = controls[base] * (1 - wx) + controls[base + 1] * wx
          let bottom = controls[base + points] * (1 - wx) + controls[base + points + 1] * wx
          field[(axis * side + y) * side + x] = top * (1 - wy) + bottom * wy
        }
      }
    }
    return field
  }

  /// Calls `body` with each pixel, its four sources and the weights of the right and lower ones.
  @inline(__always)
  private static func visit(
    _ field: [Float], _ side: Int,
    _ body: (
      _ pixel: Int, _ corner: Int, _ right: Int, _ down: Int, _ wx: Float, _ wy: Float,
      _ movesX: Bool, _ movesY: Bool
    ) -> Void
  ) {
    let last = Float(side - 1)
    field.withUnsafeBufferPointer { field in
      for y in 0..<side {
        for x in 0..<side {
          let pixel = y * side + x
          let sx = Float(x) + field[pixel]
          let sy = Float(y) + field[side * side + pixel]
          let cx = min(last, max(0, sx))
          let cy = min(last, max(0, sy))
          let x0 = Int(cx)
          let y0 = Int(cy)
          body(
            pixel, y0 * side + x0, x0 < side - 1 ? 1 : 0, y0 < side - 1 ? side : 0,
            cx - Float(x0), cy - Float(y0), sx == cx, sy == cy)
        }
      }
    }
  }

  static func apply(_ field: [Float], side: Int, images: Tensor, into output: Tensor) {
    let planes = images.shape[0] * 3
    let area = side * side
    visit(field, side) { pixel, corner, right, down, wx, wy, _, _ in
      var source = images.f32 + corner
      var target = output.f32 + pixel
      for _ in 0..<planes {
        let top = source[0] + wx * (source[right] - source[0])
        let bottom = source[down] + wx * (source[down + right] - source[down])
        target[0] = top + wy * (bottom - top)
        source += area
        target += area
      }
    }
  }

  /// The displacements along columns and rows as red and green.
  static func image(_ field: [Float], side: Int) -> RGBImage {
    let strongest = max(1e-12, field.reduce(0) { max($0, abs($1)) })
    return RGBImage(side: side) { pixel, channel in
      channel < planes ? 0.5 + 0.5 * field[channel * side * side + pixel] / strongest : 0.5
    }
  }

  func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor) {
    pullBack(dOutput, images: images, strength: 1, into: gradient)
  }

  /// Adds dLoss/dValues, given dLoss/dOutput of images that `field(strength)` displaced.
  func pullBack(
    _ dOutput: Tensor, images: Tensor, strength: Float, into gradient: Tensor
  ) {
    let planes = images.shape[0] * 3
    let area = side * side
    var dField = [Float](repeating: 0, count: 2 * area)
    Self.visit(field(strength), side) { pixel, corner, right, down, wx, wy, movesX, movesY in
      var source = images.f32 + corner
      var d = dOutput.f32 + pixel
      var dx: Float = 0
      var dy: Float = 0
      for _ in 0..<planes {
        let top = source[right] - source[0]
        let bottom = source[down + right] - source[down]
        dx += d[0] * (top + wy * (bottom - top))
        dy += d[0] * (source[down] + wx * bottom - source[0] - wx * top)
        source += area
        d += area
      }
      if movesX { dField[pixel] = dx }
      if movesY { dField[area + pixel] = dy }
    }
    pullBackField(dField, strength: strength, into: gradient)
  }

  private func pullBackField(
    _ dField: [Float], strength: Float, into gradient: Tensor
  ) {
    let points = Self.points
    var sums = [Float](repeating: 0, count: values.count)
    for axis in 0..<2 {
      for y in 0..<side {
        let (v, wy) = Self.interval(y, side)
        for x in 0..<side {
          let (u, wx) = Self.interval(x, side)
          let base = (axis * points + v) * points + u
          let d = dField[(axis * side + y) * side + x]
          sums[base] += d * (1 - wx) * (1 - wy)
          sums[base + 1] += d * wx * (1 - wy)
          sums[base + points] += d * (1 - wx) * wy
          sums[base + points + 1] += d * wx * wy
        }
      }
    }
    for i in 0..<values.count {
      let t = tanhf(values.f32[i])
      gradient.f32[i] += sums[i] * strength * bound.value * (1 - t * t)
    }
  }

  func adjustPenalty(succeeded: Bool, into gradient: Tensor) { bound.record(succeeded: succeeded) }
}

extension TriggerKind {
  package static let warp = TriggerKind(WarpSpace.self)
}
