extension ElementType {
  /// Converts elements to a tensor: floating-point types to f32, integers to i32.
  ///
  /// - Parameters:
  ///   - bytes: exactly `shape.count` elements, little endian, of any alignment.
  ///   - name: what error messages call the tensor.
  /// - Throws: `unsupported` for eight-bit floating-point types; `format` for integers beyond 32 bits.
  package func tensor(
    from bytes: UnsafeRawBufferPointer, shape: Shape, name: String
  ) throws(CLIPError) -> Tensor {
    precondition(bytes.count == shape.count * byteSize, "one element for each place of the shape")
    if isFloat {
      let tensor = try Tensor(shape)
      convert(bytes, to: UnsafeMutableBufferPointer(start: tensor.f32, count: tensor.count))
      return tensor
    }
    let tensor = try Tensor(shape, .i32)
    let output = tensor.i32
    for index in 0..<shape.count {
      guard let integer = integer(at: index, in: bytes), let value = Int32(exactly: integer) else {
        throw CLIPError(
          self == .f8e4m3 || self == .f8e5m2 ? .unsupported : .format,
          "'\(name)': element \(index) of type \(rawValue) cannot be read; expected a number of "
            + "f32, f16, bf16 or 32-bit integer type")
      }
      output[index] = value
    }
    return tensor
  }
}
