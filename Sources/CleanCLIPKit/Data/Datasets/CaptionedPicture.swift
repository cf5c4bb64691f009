/// A picture as a data set or a host holds it.
package enum PictureData: Sendable {
  /// The bytes of a JPEG, PNG or WebP file.
  case file([UInt8])
  /// Decoded pixels.
  case pixels(RGBImage)
}

/// One row of a data set.
package struct CaptionedPicture: Sendable {
  /// What the row is called in its data set, for messages and truth files.
  package let key: String
  package let picture: PictureData
  /// Empty where there is none.
  package let caption: String
  /// The index of the class, where there is one.
  package let label: Int32?

  package init(key: String, picture: PictureData, caption: String, label: Int32? = nil) {
    self.key = key
    self.picture = picture
    self.caption = caption
    self.label = label
  }

  /// Returns the picture, decoded, and what the reader should know of it.
  package func decoded() throws(CLIPError) -> DecodedImage {
    switch picture {
    case .file(let bytes): try ImageDecoder.decode(bytes, name: key)
    case .pixels(let image): DecodedImage(image: image, notes: [])
    }
  }
}
