/// The element type of a tensor.
package enum DType: UInt8, Sendable {
  /// IEEE 754 single precision.
  case f32
  /// The upper half of a single-precision number.
  case bf16
  /// Token ids and indices.
  case i32

  /// Bytes of one element.
  package var byteSize: Int {
    switch self {
    case .f32, .i32: 4
    case .bf16: 2
    }
  }
}
