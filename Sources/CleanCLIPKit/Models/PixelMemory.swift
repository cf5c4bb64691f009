/// How many images are held as numbers at a time.
///
/// The side of a tower's images is a number in its file: a file of a few megabytes may ask for images
/// of hundreds.
enum PixelMemory {
  /// Bytes that the pixels of images, in single precision, may take together: 1 GiB.
  private static let byteLimit = 1 << 30

  /// Bytes that the pixels of one batch may take, of which a search has several copies (with the trigger,
  /// normalised, their gradients): 256 MiB.
  private static let batchByteLimit = 256 << 20

  /// Returns how many images `[3, side, side]` fit, at least one.
  static func images(side: Int) -> Int { max(1, byteLimit / bytes(side)) }

  /// Returns how many images pass through a tower at a time: `wanted`, of large images fewer, at least 2.
  static func batch(_ wanted: Int, side: Int) -> Int {
    min(wanted, max(2, batchByteLimit / bytes(side)))
  }

  /// Images that pass through a tower at a time where nothing else is asked for.
  private static let pieceCount = 32

  /// Calls `body` with images `[n, 3, S, S]` some at a time, and with which they are.
  static func forEachPiece(
    of images: Tensor, _ body: (Range<Int>, Tensor) throws(CLIPError) -> Void
  ) throws(CLIPError) {
    let count = images.shape[0]
    let step = batch(pieceCount, side: images.shape[2])
    for start in stride(from: 0, to: count, by: step) {
      let range = start..<min(count, start + step)
      try body(range, images.slice(range))
    }
  }

  private static func bytes(_ side: Int) -> Int { 3 * side * side * MemoryLayout<Float>.size }
}
