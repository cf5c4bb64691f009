internal import CImages

extension ImageDecoder {
  /// The mean difference of composite and stored colours from which an image may be hidden.
  private static let hiddenDifference = 16.0

  /// The fraction of concealed pixels off the prevailing grey from which they form an image.
  ///
  /// Under a transparent background is mostly one colour, and others along its edges only.
  private static let hiddenVariety = 0.25

  /// Composites on white and notes what the alpha channel does.
  static func composite(
    _ rgba: [UInt8], width: Int, height: Int, notes: [DecodedImage.Note]
  ) -> DecodedImage {
    let count = width * height
    var difference = 0.0
    var concealed = [UInt64](repeating: 0, count: 256)
    var isTransparent = false
    let pixels = [UInt8](unsafeUninitializedCapacity: count * 3) { output, initialized in
      guard let target = output.baseAddress else { return }
      isTransparent =
        cimages_composite_on_white(rgba, count, target, &difference, &concealed) != 0
      initialized = count * 3
    }
    var notes = notes
    if isTransparent { notes.append(.transparent) }
    if difference >= hiddenDifference && variety(concealed) >= hiddenVariety {
      let fraction = Double(concealed.reduce(0, +)) / Double(count)
      notes.append(.hiddenImage(difference: difference, fraction: fraction))
    }
    return DecodedImage(
      image: RGBImage(width: width, height: height, pixels: pixels), notes: notes)
  }

  /// The fraction of pixels outside the 17 neighbouring grey levels that hold the most of them.
  private static func variety(_ histogram: [UInt64]) -> Double {
    let total = histogram.reduce(0, +)
    guard total > 0 else { return 0 }
    let prevailing = (0...histogram.count - 17).map { histogram[$0..<$0 + 17].reduce(0, +) }.max()
    return 1 - Double(prevailing ?? 0) / Double(total)
  }
}
