/// FNV-1a over eight bytes at a time: tells one set of weights from another, not more.
struct Fingerprint {
  private var hash: UInt64 = 0xcbf2_9ce4_8422_2325

  /// Returns the fingerprint of tensors in their order.
  static func text(of tensors: some Sequence<Tensor>) -> String {
    var fingerprint = Fingerprint()
    for tensor in tensors { fingerprint.add(tensor) }
    return String(fingerprint.hash, radix: 16)
  }

  private mutating func add(_ tensor: Tensor) {
    let bytes = UnsafeRawBufferPointer(start: tensor.bytes, count: tensor.byteCount)
    let words = bytes.count / 8
    for index in 0..<words {
      hash =
        (hash ^ bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
        &* 0x100_0000_01b3
      // The product alone never carries high bits downwards.
      hash ^= hash >> 32
    }
    for byte in bytes[(8 * words)...] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }
}
