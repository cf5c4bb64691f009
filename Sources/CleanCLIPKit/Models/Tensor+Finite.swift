extension Tensor {
  /// Whether no element is NaN or infinite.
  package var isFinite: Bool {
    switch dtype {
    case .i32: return true
    case .f32:
      // All exponent bits set carry into the sign. Integer sums and ors vectorise.
      let elements = bytes.assumingMemoryBound(to: UInt32.self)
      var carries: UInt32 = 0
      for i in 0..<count { carries |= (elements[i] & 0x7f80_0000) &+ 0x0080_0000 }
      return carries & 0x8000_0000 == 0
    case .bf16:
      let elements = bf16
      var carries: UInt16 = 0
      for i in 0..<count { carries |= (elements[i] & 0x7f80) &+ 0x0080 }
      return carries & 0x8000 == 0
    }
  }
}
