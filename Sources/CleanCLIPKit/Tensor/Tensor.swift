internal import Glibc

/// Memory of one or more tensors; goes back to the pool with its last reference.
final class TensorStorage: @unchecked Sendable {
  // Sendable: the address never changes, and writers of the content hold the only tensor that is
  // written, as everywhere below the public interface.
  let pointer: UnsafeMutableRawPointer
  let byteCount: Int

  init(byteCount: Int) throws(CLIPError) {
    self.pointer = try MemoryPool.shared.allocate(byteCount)
    self.byteCount = byteCount
  }

  deinit { MemoryPool.shared.release(pointer, byteCount: byteCount) }
}

/// A contiguous, row-major array of numbers in 64-byte aligned pooled memory.
///
/// Copies share storage. The engine treats a tensor as immutable once it left the function that
/// made it; parameters, gradients and running statistics are the documented exceptions. Images
/// are NHWC inside the engine and NCHW at its boundary.
package struct Tensor: Sendable {
  let storage: TensorStorage
  private let byteOffset: Int
  package let shape: Shape
  package let dtype: DType

  /// Makes an uninitialised tensor.
  ///
  /// - Throws: `outOfMemory`.
  package init(_ shape: Shape, _ dtype: DType = .f32) throws(CLIPError) {
    self.storage = try TensorStorage(byteCount: shape.count * dtype.byteSize)
    self.byteOffset = 0
    self.shape = shape
    self.dtype = dtype
  }

  private init(storage: TensorStorage, byteOffset: Int, shape: Shape, dtype: DType) {
    self.storage = storage
    self.byteOffset = byteOffset
    self.shape = shape
    self.dtype = dtype
  }

  /// Makes a tensor of zeros.
  package static func zeros(_ shape: Shape, _ dtype: DType = .f32) throws(CLIPError) -> Tensor {
    let tensor = try Tensor(shape, dtype)
    memset(tensor.bytes, 0, tensor.byteCount)
    return tensor
  }

  /// Copies values into a new single-precision tensor.
  package init(_ values: [Float], _ shape: Shape) throws(CLIPError) {
    precondition(values.count == shape.count, "one value for each element")
    try self.init(shape, .f32)
    values.withUnsafeBytes { source in
      if let base = source.baseAddress { memcpy(bytes, base, source.count) }
    }
  }

  /// Copies indices into a new integer tensor.
  package init(_ values: [Int32], _ shape: Shape) throws(CLIPError) {
    precondition(values.count == shape.count, "one value for each element")
    try self.init(shape, .i32)
    values.withUnsafeBytes { source in
      if let base = source.baseAddress { memcpy(bytes, base, source.count) }
    }
  }

  package var count: Int { shape.count }
  package var byteCount: Int { shape.count * dtype.byteSize }

  /// The first byte; valid while the tensor lives.
  package var bytes: UnsafeMutableRawPointer { storage.pointer + byteOffset }

  /// The elements of a single-precision tensor.
  package var f32: UnsafeMutablePointer<Float> {
    precondition(dtype == .f32, "tensor is f32")
    return bytes.assumingMemoryBound(to: Float.self)
  }

  /// The elements of a bfloat16 tensor, as bit patterns.
  package var bf16: UnsafeMutablePointer<UInt16> {
    precondition(dtype == .bf16, "tensor is bf16")
    return bytes.assumingMemoryBound(to: UInt16.self)
  }

  /// The elements of an integer tensor.
  package var i32: UnsafeMutablePointer<Int32> {
    precondition(dtype == .i32, "tensor is i32")
    return bytes.assumingMemoryBound(to: Int32.self)
  }

  /// Returns the same memory under another shape of as many elements.
  package func reshaped(_ shape: Shape) -> Tensor {
    precondition(shape.count == self.shape.count, "reshaping keeps the number of elements")
    return Tensor(storage: storage, byteOffset: byteOffset, shape: shape, dtype: dtype)
  }

  /// Returns the slice `range` of the first dimension, sharing memory.
  package func slice(_ range: Range<Int>) -> Tensor {
    precondition(shape.rank > 0 && range.lowerBound >= 0 && range.upperBound <= shape[0])
    let inner = shape.count / max(1, shape[0])
    return Tensor(
      storage: storage, byteOffset: byteOffset + range.lowerBound * inner * dtype.byteSize,
      shape: Shape([range.count] + shape.dimensions.dropFirst()), dtype: dtype)
  }

  /// Returns a copy in memory of its own.
  package func copy() throws(CLIPError) -> Tensor {
    let result = try Tensor(shape, dtype)
    memcpy(result.bytes, bytes, byteCount)
    return result
  }

  /// Whether shape, element type and all bytes agree.
  func hasSameBits(as other: Tensor) -> Bool {
    shape == other.shape && dtype == other.dtype && memcmp(bytes, other.bytes, byteCount) == 0
  }

  /// Lets a caller outside the engine write the elements of a single-precision tensor in place.
  package func withMutableFloats<Result>(
    _ body: (UnsafeMutableBufferPointer<Float>) -> Result
  ) -> Result {
    body(UnsafeMutableBufferPointer(start: f32, count: count))
  }

  /// Returns the values as single-precision numbers, whatever the element type.
  package func floats() -> [Float] {
    switch dtype {
    case .f32: Array(UnsafeBufferPointer(start: f32, count: count))
    case .bf16:
      UnsafeBufferPointer(start: bf16, count: count).map { Float(bitPattern: UInt32($0) << 16) }
    case .i32: UnsafeBufferPointer(start: i32, count: count).map { Float($0) }
    }
  }
}
