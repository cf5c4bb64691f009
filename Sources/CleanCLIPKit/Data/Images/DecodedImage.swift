/// An image read from a file, with what the reader should know about the file.
package struct DecodedImage: Sendable {
  /// Something about a file that does not keep it from being read.
  package enum Note: Equatable, Sendable, CustomStringConvertible {
    /// Transparent pixels were composited on white.
    case transparent
    /// The alpha channel hides another image.
    ///
    /// - `difference`: mean absolute difference of the composite from the stored colours, 0 ... 255.
    /// - `fraction`: fraction of the pixels whose stored colour does not show, 0 ... 1.
    case hiddenImage(difference: Double, fraction: Double)
    /// The file is an animation; its first frame was read.
    case animated
    /// The codec worked around damage, as Pillow does; its words.
    case damaged(String)

    package var description: String {
      switch self {
      case .transparent: "transparent pixels were composited on white"
      case .hiddenImage(let difference, let fraction):
        "the alpha channel hides another image: \(percent(fraction, 0)) of the stored pixels do "
          + "not show, and the visible image differs from the stored one by "
          + "\(Int(difference.rounded())) of 255 on average"
      case .animated: "an animation, of which the first frame was read"
      case .damaged(let words): "damaged data was worked around: \(words)"
      }
    }
  }

  package let image: RGBImage
  package let notes: [Note]
}
