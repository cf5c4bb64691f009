/// What an image looks like from afar, in 64 bits, so that copies of it in other sizes and encodings are told
/// from other images without a model: where brightness falls from a cell to the next one on its right, on a
/// grid of 9 × 4 cells, and from a cell to the one below it, on a grid of 4 × 9.
package struct ImageDescriptor: Hashable, Sendable {
  package let bits: UInt64

  /// A fall of brightness, of 255, that counts: more than the noise of an even surface.
  private static let fall: Float = 2
  /// Side of the reduced image: cells of both grids are whole pixels of it.
  private static let side = 36
  /// Differing bits up to which two images are near-duplicates. Of small images that were resized and
  /// encoded anew 99 % differ in at most 6; of different ones less than one pair in 2000 differ in as few as 8.
  private static let nearDuplicate = 8
  /// Set bits below which an image is too plain to be told by its descriptor unless hardly any bit differs.
  private static let fewestSet = 12
  private static let nearDuplicateOfPlain = 2

  package init(bits: UInt64) { self.bits = bits }

  package init(_ image: RGBImage) {
    let side = Self.side
    let reduced = image.resized(
      width: side, height: side, left: 0, top: 0, croppedWidth: side, croppedHeight: side,
      by: .bilinear)
    var brightness = [Float](repeating: 0, count: side * side)
    for pixel in brightness.indices {
      // Rec. 601 luma.
      brightness[pixel] =
        0.299 * Float(reduced.pixels[3 * pixel]) + 0.587 * Float(reduced.pixels[3 * pixel + 1])
        + 0.114 * Float(reduced.pixels[3 * pixel + 2])
    }
    func cells(columns: Int, rows: Int) -> [Float] {
      let (width, height) = (side / columns, side / rows)
      return (0..<rows * columns).map { cell in
        var sum: Float = 0
        for y in cell / columns * height..<(cell / columns + 1) * height {
          for x in cell % columns * width..<(cell % columns + 1) * width {
            sum += brightness[y * side + x]
          }
        }
        return sum / Float(width * height)
      }
    }
    let wide = cells(columns: 9, rows: 4)
    let tall = cells(columns: 4, rows: 9)
    var bits: UInt64 = 0
    for bit in 0..<32 {
      let left = bit / 8 * 9 + bit % 8
      if wide[left] - wide[left + 1] > Self.fall { bits |= 1 << UInt64(bit) }
      if tall[bit] - tall[bit + 4] > Self.fall { bits |= 1 << UInt64(32 + bit) }
    }
    self.bits = bits
  }

  /// Whether two images look like one, newly encoded.
  package func isNearDuplicate(of other: ImageDescriptor) -> Bool {
    let differing = (bits ^ other.bits).nonzeroBitCount
    guard differing > Self.nearDuplicateOfPlain else { return true }
    return differing <= Self.nearDuplicate && !isPlain && !other.isPlain
  }

  /// Whether there is too little to see for a likeness to say much.
  var isPlain: Bool { bits.nonzeroBitCount < Self.fewestSet }
}
