extension RowContent {
  /// - Parameter row: the row of the dataset that the pair is.
  init(row: Int, _ pair: CaptionedImage) {
    self.init(row: row, key: pair.key, fingerprint: pair.fingerprint)
  }
}

extension CaptionedImage {
  /// A fingerprint of the image as it is stored, the caption and the label; never 0.
  var fingerprint: UInt64 {
    var fingerprint = Fingerprint()
    switch image {
    case .file(let bytes):
      fingerprint.add(bytes.count)
      fingerprint.add(bytes)
    case .pixels(let image):
      fingerprint.add(image.width)
      fingerprint.add(image.height)
      fingerprint.add(image.pixels)
    }
    fingerprint.add(caption)
    fingerprint.add(label?.shown ?? "")
    return max(1, fingerprint.value)
  }
}
