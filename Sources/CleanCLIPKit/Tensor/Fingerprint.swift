/// FNV-1a over eight bytes at a time: tells one content from another, not more.
struct Fingerprint {
  private var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  /// Bytes that do not make a word yet, in its low places.
  private var rest: UInt64 = 0
  private var restCount = 0

  /// Returns the fingerprint of tensors in their order.
  static func text(of tensors: some Sequence<Tensor>) -> String { Self(of: tensors).text }

  /// Returns the number that `text(of:)` writes.
  static func value(of tensors: some Sequence<Tensor>) -> UInt64 { Self(of: tensors).value }

  init() {}

  private init(of tensors: some Sequence<Tensor>) {
    for tensor in tensors {
      add(UnsafeRawBufferPointer(start: tensor.bytes, count: tensor.byteCount))
    }
  }

  /// Adds bytes; how they are divided among calls does not matter.
  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var position = 0
    while restCount > 0, position < bytes.count {
      add(byte: bytes[position])
      position += 1
    }
    while position + 8 <= bytes.count {
      add(word: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      position += 8
    }
    while position < bytes.count {
      add(byte: bytes[position])
      position += 1
    }
  }

  /// Adds up to 64 values of a tensor, evenly spread, and their number: enough to tell trained weights from others.
  mutating func add(sampleOf tensor: Tensor) {
    let samples = min(64, tensor.count)
    let size = tensor.byteCount / max(1, tensor.count)
    add(tensor.count)
    for sample in 0..<samples {
      let index = tensor.count * sample / samples
      add(UnsafeRawBufferPointer(start: tensor.bytes + index * size, count: size))
    }
  }

  mutating func add(_ bytes: [UInt8]) { bytes.withUnsafeBytes { add($0) } }

  /// Adds a number.
  mutating func add(_ number: Int) { add(word: UInt64(bitPattern: Int64(number)).littleEndian) }

  /// Adds a text and its length, so that texts one after another cannot be divided otherwise.
  mutating func add(_ text: String) {
    add(text.utf8.count)
    add(Array(text.utf8))
  }

  private mutating func add(byte: UInt8) {
    rest |= UInt64(byte) << UInt64(8 * restCount)
    restCount += 1
    guard restCount == 8 else { return }
    let word = rest
    rest = 0
    restCount = 0
    mix(word)
  }

  private mutating func add(word: UInt64) {
    guard restCount > 0 else { return mix(word) }
    for shift in stride(from: 0, to: 64, by: 8) {
      add(byte: UInt8(truncatingIfNeeded: word >> UInt64(shift)))
    }
  }

  private mutating func mix(_ word: UInt64) {
    hash = (hash ^ word) &* 0x100_0000_01b3
    // The product alone never carries high bits downwards.
    hash ^= hash >> 32
  }

  /// The fingerprint of what was added.
  var value: UInt64 {
    var copy = self
    copy.mix(rest)
    copy.mix(UInt64(restCount))
    return copy.hash
  }

  /// The fingerprint as sixteen hexadecimal digits.
  var text: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
