extension Tensor {
  /// Whether no element is NaN or infinite.
  package var isFinite: Bool {
    switch dtype {
    case .i32: return true
    case .f32:
      let elements = bytes.assumingMemoryBound(to: UInt32.self)
      // All exponent bits set. The maximum is an integer reduction, which vectorises.
      var highest: UInt32 = 0
      for i in 0..<count { highest = max(highest, elements[i] & 0x7fff_ffff) }
      return highest < 0x7f80_0000
    case .bf16:
      let elements = bf16
      var highest: UInt16 = 0
      for i in 0..<count { highest = max(highest, elements[i] & 0x7fff) }
      return highest < 0x7f80
    }
  }
}
