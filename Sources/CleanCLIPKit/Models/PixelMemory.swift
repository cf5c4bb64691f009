/// How many images are held as numbers at a time.
///
/// The side of a tower's images is a number in its file: a file of a few megabytes may ask for images
/// of hundreds.
enum PixelMemory {
  /// Bytes that the pixels of images, in single precision, may take together: 1 GiB.
  private static let byteLimit = 1 << 30

  /// Returns how many images `[3, side, side]` fit, at least one.
  static func images(side: Int) -> Int {
    max(1, byteLimit / (3 * side * side * MemoryLayout<Float>.size))
  }
}
