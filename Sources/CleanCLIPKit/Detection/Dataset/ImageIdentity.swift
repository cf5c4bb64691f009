/// Tells images apart by their content: the first half of a SHA-256, so that no one can make two
/// different images count as one.
struct ImageIdentity: Hashable, Sendable {
  /// Four numbers of 32 bits, as a saved state keeps them.
  let words: [Int32]

  init(words: [Int32]) { self.words = words }

  init(_ image: ImageData) {
    let hash =
      switch image {
      case .file(let bytes): SHA256.hash(of: bytes)
      case .pixels(let image):
        SHA256.hash(of: Array("\(image.width) x \(image.height) ".utf8) + image.pixels)
      }
    let digits = Array(hash.prefix(32))
    words = stride(from: 0, to: digits.count, by: 8).map { start in
      Int32(bitPattern: UInt32(String(digits[start..<start + 8]), radix: 16) ?? 0)
    }
  }
}
