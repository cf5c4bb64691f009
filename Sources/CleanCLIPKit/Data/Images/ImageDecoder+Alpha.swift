internal import CImages

extension ImageDecoder {
  /// A mean difference between composite and stored colours from which a picture counts as hidden.
  private static let hiddenDifference = 16.0

  /// The spread of the hidden luma from which it counts as a picture: what lies under a transparent
  /// background is mostly one colour, and its deviation near 0.
  private static let hiddenDeviation = 16.0

  /// Composites on white and notes what the alpha channel does.
  static func composite(
    _ rgba: [UInt8], width: Int, height: Int, notes: [DecodedImage.Note]
  ) -> DecodedImage {
    let count = width * height
    var difference = 0.0
    var deviation = 0.0
    var share = 0.0
    var isTransparent = false
    let pixels = [UInt8](unsafeUninitializedCapacity: count * 3) { output, initialized in
      guard let target = output.baseAddress else { return }
      isTransparent =
        cimages_composite_on_white(rgba, count, target, &difference, &deviation, &share) != 0
      initialized = count * 3
    }
    var notes = notes
    if isTransparent { notes.append(.transparent) }
    if difference >= hiddenDifference && deviation >= hiddenDeviation {
      notes.append(.hiddenPicture(difference: difference, share: share))
    }
    return DecodedImage(
      image: RGBImage(width: width, height: height, pixels: pixels), notes: notes)
  }
}
