internal import Glibc

/// The element types of tensors in files.
package enum ElementType: String, Sendable {
  case f64 = "F64"
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  case i64 = "I64"
  case i32 = "I32"
  case i16 = "I16"
  case i8 = "I8"
  case u64 = "U64"
  case u32 = "U32"
  case u16 = "U16"
  case u8 = "U8"
  case bool = "BOOL"
  case f8e4m3 = "F8_E4M3"
  case f8e5m2 = "F8_E5M2"

  /// Bytes of one element.
  package var byteSize: Int {
    switch self {
    case .f64, .i64, .u64: 8
    case .f32, .i32, .u32: 4
    case .f16, .bf16, .i16, .u16: 2
    case .i8, .u8, .bool, .f8e4m3, .f8e5m2: 1
    }
  }

  /// Whether the type is a floating-point type that the library computes with.
  package var isFloat: Bool {
    switch self {
    case .f64, .f32, .f16, .bf16: true
    default: false
    }
  }

  /// The product of dimensions that come from a file; `nil` when one is negative or it overflows.
  package static func elementCount(_ dimensions: [Int]) -> Int? {
    if dimensions.contains(where: { $0 < 0 }) { return nil }
    // A zero makes the product zero whatever the others are, but those must not hide an overflow,
    // nor keep a loop over them busy.
    var count = 1
    for dimension in dimensions where dimension != 0 {
      let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
      if overflow { return nil }
      count = product
    }
    guard dimensions.contains(0) else { return count }
    return count <= 1 << 24 ? 0 : nil
  }

  /// Bytes of `count` elements; `nil` when the number overflows.
  package func byteCount(of count: Int) -> Int? {
    let (product, overflow) = count.multipliedReportingOverflow(by: byteSize)
    return overflow ? nil : product
  }

  /// Converts floating-point elements to single precision.
  ///
  /// - Parameters:
  ///   - bytes: `output.count` elements, little endian, of any alignment.
  package func convert(
    _ bytes: UnsafeRawBufferPointer, to output: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(bytes.count >= output.count * byteSize)
    switch self {
    case .f32:
      if let source = bytes.baseAddress, let target = output.baseAddress {
        memcpy(target, source, output.count * 4)
      }
    case .f16:
      for index in output.indices {
        output[index] = Self.single(
          half: bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
      }
    case .bf16:
      for index in output.indices {
        let bits = bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)
        output[index] = Float(bitPattern: UInt32(bits) << 16)
      }
    case .f64:
      for index in output.indices {
        output[index] = Float(bytes.loadUnaligned(fromByteOffset: index * 8, as: Double.self))
      }
    default:
      preconditionFailure("only floating-point types are converted")
    }
  }

  /// The element as an integer; `nil` for floating-point types and numbers beyond 64 signed bits.
  package func integer(at index: Int, in bytes: UnsafeRawBufferPointer) -> Int? {
    let offset = index * byteSize
    switch self {
    case .i64: return Int(bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self))
    case .u64: return Int(exactly: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    case .i32: return Int(bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
    case .u32: return Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    case .i16: return Int(bytes.loadUnaligned(fromByteOffset: offset, as: Int16.self))
    case .u16: return Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    case .i8: return Int(Int8(bitPattern: bytes[offset]))
    case .u8: return Int(bytes[offset])
    case .bool: return bytes[offset] == 0 ? 0 : 1
    default: return nil
    }
  }

  /// Converts IEEE 754 half precision exactly, without the conversion function that a CPU baseline
  /// without F16C would call for every element.
  @inlinable
  package static func single(half bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let magnitude = UInt32(bits & 0x7FFF) << 13
    if magnitude >= 0x0F80_0000 {  // infinities and NaN
      return Float(bitPattern: sign | 0x7F80_0000 | (magnitude & 0x007F_FFFF))
    }
    // Multiplying by 2¹¹² moves the exponent and normalises subnormal numbers exactly.
    let value = Float(bitPattern: magnitude) * 0x1p112
    return Float(bitPattern: sign | value.bitPattern)
  }

  /// Rounds to half precision, to nearest even.
  @inlinable
  package static func half(_ value: Float) -> UInt16 { Float16(value).bitPattern }

  /// Rounds to bfloat16, to nearest even; NaN stays NaN.
  @inlinable
  package static func bfloat16(_ value: Float) -> UInt16 {
    if value.isNaN { return UInt16(value.bitPattern >> 16) | 0x40 }
    let bits = value.bitPattern
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
  }
}
