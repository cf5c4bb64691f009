extension Tensor {
  /// Keeps numbers of 64 bits as `[n, 2]` halves, the low one first.
  init(words: [UInt64]) throws(CLIPError) {
    try self.init(
      words.flatMap { [Int32(truncatingIfNeeded: $0), Int32(truncatingIfNeeded: $0 >> 32)] },
      [words.count, 2])
  }

  /// The numbers of 64 bits that `init(words:)` kept; `nil` for another tensor.
  var words: [UInt64]? {
    guard dtype == .i32, shape.rank == 2, shape[1] == 2 else { return nil }
    return (0..<shape[0]).map { row in
      UInt64(UInt32(bitPattern: i32[2 * row])) | UInt64(UInt32(bitPattern: i32[2 * row + 1])) << 32
    }
  }
}
