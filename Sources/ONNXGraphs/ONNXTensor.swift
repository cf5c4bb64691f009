package import CleanCLIPFiles

/// A tensor of an ONNX file whose elements are still in the file.
package struct ONNXTensor: Sendable {
  /// Where the elements are.
  package enum Payload: Sendable {
    /// No data at all: right for a tensor without elements only.
    case none
    /// Ranges of the file.
    case raw(Range<Int>)
    case floats(Range<Int>)
    /// Integers, or bit patterns of 8- and 16-bit types, which can be replaced where they are packed.
    case numbers([Int], isPacked: Bool)
    case doubles([Double])
    case external(ONNXExternalData)
    /// Strings, segments or several forms at a time.
    case unreadable
  }

  package let index: Int
  package let name: String
  /// TensorProto.DataType.
  package let dataType: Int
  /// `nil` for types that CLIP graphs have no use for: strings, complex and sub-byte numbers.
  package let type: ElementType?
  package let dimensions: [Int]
  package let count: Int
  package let payload: Payload

  /// Checks that there is exactly one element for each place of the shape.
  package func checkLength(path: String) throws(CLIPError) {
    let actual: Int
    switch payload {
    case .none: actual = 0
    case .raw(let range): actual = type.map { range.count / $0.byteSize } ?? count
    case .floats(let range): actual = range.count / 4
    case .numbers(let numbers, _): actual = numbers.count
    case .doubles(let numbers): actual = numbers.count
    case .external, .unreadable: return
    }
    var isWhole = actual == count
    if case .raw(let range) = payload, let type {
      isWhole = isWhole && range.count % type.byteSize == 0
    }
    guard isWhole else {
      throw CLIPError(
        .format,
        "'\(path)': tensor '\(name)' has the wrong amount of data; expected \(count) elements for "
          + "shape \(dimensions), got \(actual)")
    }
  }
}

extension ElementType {
  /// The type with a number of TensorProto.DataType.
  package init?(onnx dataType: Int) {
    switch dataType {
    case 1: self = .f32
    case 2: self = .u8
    case 3: self = .i8
    case 4: self = .u16
    case 5: self = .i16
    case 6: self = .i32
    case 7: self = .i64
    case 9: self = .bool
    case 10: self = .f16
    case 11: self = .f64
    case 12: self = .u32
    case 13: self = .u64
    case 16: self = .bf16
    default: return nil
    }
  }
}

extension ONNXModel {
  /// The elements as consecutive little-endian bytes of the tensor's type, where the file has them
  /// in that form; `nil` for lists of numbers.
  package func bytes(of tensor: ONNXTensor) -> UnsafeRawBufferPointer? {
    switch tensor.payload {
    case .raw(let range): UnsafeRawBufferPointer(rebasing: file.bytes[range])
    case .floats(let range) where tensor.type == .f32:
      UnsafeRawBufferPointer(rebasing: file.bytes[range])
    case .external(let external): external.bytes
    default: nil
    }
  }

  /// Gives memory pages of a large payload back after it was copied.
  package func release(_ tensor: ONNXTensor) {
    if let bytes = bytes(of: tensor) { file.release(bytes) }
  }
}
