internal import Glibc

/// A pattern behind a constant mask: stamps, patches and blended images.
///
/// ```
/// x' = x + s m (p - x)        m in 0…1, one for the three channels; s the strength
/// ```
///
/// The pattern is free, clipped to 0…1. A mask that covers a part of the image may be moved, within
/// the image.
package final class MaskedTrigger: LearnedTrigger {
  /// Where the mask is put at each use.
  enum Placement: Int {
    case fixed
    /// At its own place every other time, anywhere else.
    case sometimes
    case anywhere
  }

  package let family: TriggerFamily
  /// `[3, S, S]`.
  package let values: Tensor
  package let learningRate: Float = 0.05
  private let mask: [Float]
  private let side: Int
  var placement: Placement
  /// Rows and columns that the mask covers.
  private let rows: Range<Int>
  private let columns: Range<Int>
  private var shift = (y: 0, x: 0)
  private var strength: Float = 1

  /// - Parameters:
  ///   - mask: `[S, S]` in 0…1.
  ///   - values: `[3, S, S]`, adopted.
  init(
    family: TriggerFamily, mask: [Float], values: Tensor, side: Int, placement: Placement
  ) {
    precondition(mask.count == side * side && values.count == 3 * mask.count)
    self.family = family
    self.mask = mask
    self.values = values
    self.side = side
    self.placement = placement
    (rows, columns) = Self.extent(mask, side: side)
  }

  /// Makes a square of random side, a tenth to a sixth of the image, that goes anywhere.
  package static func stamp(
    imageSize: Int, random: inout RandomNumbers
  ) throws(CLIPError) -> MaskedTrigger {
    let size = max(2, imageSize / [10, 8, 6][random.integer(below: 3)])
    var mask = [Float](repeating: 0, count: imageSize * imageSize)
    for y in 0..<size {
      for x in 0..<size { mask[y * imageSize + x] = 1 }
    }
    return MaskedTrigger(
      family: .stamp, mask: mask, values: try noise(imageSize, &random), side: imageSize,
      placement: .anywhere)
  }

  /// Makes a square around the middle of a patch that a search found.
  static func square(
    around found: FoundTrigger, size: Int, random: inout RandomNumbers
  ) throws(CLIPError) -> MaskedTrigger {
    let side = found.side
    var sum: Float = 1e-9
    var middle = (y: Float(0), x: Float(0))
    for y in 0..<side {
      for x in 0..<side {
        // Squared, so that the faint rest of a mask counts little.
        let weight = found.numbers[y * side + x] * found.numbers[y * side + x]
        sum += weight
        middle.y += weight * (Float(y) + 0.5)
        middle.x += weight * (Float(x) + 0.5)
      }
    }
    func start(_ center: Float) -> Int {
      min(side - size, max(0, Int((center / sum - Float(size) / 2).rounded())))
    }
    let (top, left) = (start(middle.y), start(middle.x))
    var mask = [Float](repeating: 0, count: side * side)
    for y in top..<top + size {
      for x in left..<left + size { mask[y * side + x] = 1 }
    }
    return MaskedTrigger(
      family: .patch, mask: mask, values: try noise(side, &random), side: side, placement: .fixed)
  }

  /// Makes an image of which a fraction is mixed in.
  package static func blend(
    imageSize: Int, share: Float, random: inout RandomNumbers
  ) throws(CLIPError) -> MaskedTrigger {
    MaskedTrigger(
      family: .blend, mask: [Float](repeating: share, count: imageSize * imageSize),
      values: try noise(imageSize, &random), side: imageSize, placement: .fixed)
  }

  /// Makes a patch of one that a search found.
  static func patch(_ found: FoundTrigger) throws(CLIPError) -> MaskedTrigger {
    let area = found.side * found.side
    return MaskedTrigger(
      family: .patch, mask: Array(found.numbers[..<area]),
      values: try Tensor(Array(found.numbers[area...]), [3, found.side, found.side]),
      side: found.side, placement: .sometimes)
  }

  private static func noise(
    _ side: Int, _ random: inout RandomNumbers
  ) throws(CLIPError) -> Tensor {
    let values = try Tensor([3, side, side])
    for i in 0..<values.count { values.f32[i] = random.uniform() }
    return values
  }

  /// The rows and columns with more than faint traces of the mask.
  private static func extent(
    _ mask: [Float], side: Int
  ) -> (rows: Range<Int>, columns: Range<Int>) {
    let limit = 0.25 * (mask.max() ?? 0)
    var rows = 0..<side
    var columns = rows
    var isEmpty = true
    for y in 0..<side {
      for x in 0..<side where mask[y * side + x] > limit {
        rows = isEmpty ? y..<y + 1 : min(rows.lowerBound, y)..<max(rows.upperBound, y + 1)
        columns = isEmpty ? x..<x + 1 : min(columns.lowerBound, x)..<max(columns.upperBound, x + 1)
        isEmpty = false
      }
    }
    return isEmpty ? (0..<side, 0..<side) : (rows, columns)
  }

  package func vary(strength: Float, using random: inout RandomNumbers) {
    self.strength = strength
    shift = (0, 0)
    switch placement {
    case .fixed: return
    case .sometimes: if random.uniform() < 0.5 { return }
    case .anywhere: break
    }
    shift.y = random.integer(below: side - rows.count + 1) - rows.lowerBound
    shift.x = random.integer(below: side - columns.count + 1) - columns.lowerBound
  }

  package func settle(using random: inout RandomNumbers) {
    vary(strength: 1, using: &random)
    if placement != .anywhere { shift = (0, 0) }
  }

  /// Calls `body` with runs of pixels of a plane and of the mask that they lie under.
  private func visit(_ body: (_ pixel: Int, _ source: Int, _ count: Int) -> Void) {
    let first = max(0, shift.x)
    let count = side - abs(shift.x)
    for y in max(0, shift.y)..<min(side, side + shift.y) {
      body(y * side + first, (y - shift.y) * side + first - shift.x, count)
    }
  }

  package func apply(to images: Tensor, into output: Tensor) {
    memcpy(output.bytes, images.bytes, images.byteCount)
    let area = side * side
    let strength = strength
    mask.withUnsafeBufferPointer { mask in
      for plane in 0..<images.shape[0] * 3 {
        let target = output.f32 + plane * area
        let pattern = values.f32 + plane % 3 * area
        visit { pixel, source, count in
          for i in 0..<count {
            let value = min(1, max(0, pattern[source + i]))
            target[pixel + i] += strength * mask[source + i] * (value - target[pixel + i])
          }
        }
      }
    }
  }

  package func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor) {
    let area = side * side
    let strength = strength
    mask.withUnsafeBufferPointer { mask in
      for plane in 0..<images.shape[0] * 3 {
        let d = dOutput.f32 + plane * area
        let target = gradient.f32 + plane % 3 * area
        visit { pixel, source, count in
          for i in 0..<count {
            target[source + i] += strength * mask[source + i] * d[pixel + i]
          }
        }
      }
    }
  }

  package func copy() throws(CLIPError) -> any LearnedTrigger {
    MaskedTrigger(
      family: family, mask: mask, values: try values.copy(), side: side, placement: placement)
  }

  package var record: TriggerRecord {
    TriggerRecord(
      form: .masked, family: family,
      arrays: [[Float(placement.rawValue)], mask, values.floats()])
  }

  package func snapshot() -> FoundTrigger? {
    FoundTrigger(
      kind: .patch, size: mask.reduce(0, +) / Float(mask.count), side: side,
      numbers: mask + (0..<values.count).map { min(1, max(0, values.f32[$0])) })
  }
}
