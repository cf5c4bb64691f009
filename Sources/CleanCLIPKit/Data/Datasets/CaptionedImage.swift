/// An image as a dataset or a host holds it.
package enum ImageData: Sendable {
  /// The bytes of a JPEG, PNG or WebP file.
  case file([UInt8])
  /// Decoded pixels.
  case pixels(RGBImage)
}

/// One row of a dataset.
package struct CaptionedImage: Sendable {
  /// What the row is called in its dataset, for messages and truth files.
  package let key: String
  package let image: ImageData
  /// Empty where there is none.
  package let caption: String
  /// The class, where there is one.
  package let label: ClassLabel?

  package init(key: String, image: ImageData, caption: String, label: ClassLabel? = nil) {
    self.key = key
    self.image = image
    self.caption = caption
    self.label = label
  }

  /// Returns the image, decoded, and what the reader should know of it.
  package func decoded() throws(CLIPError) -> DecodedImage {
    switch image {
    case .file(let bytes): try ImageDecoder.decode(bytes, name: key)
    case .pixels(let image): DecodedImage(image: image, notes: [])
    }
  }
}
