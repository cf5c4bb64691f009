/// Numbers of a file in their order, which are read where they are.
package struct StoredArray: Sendable {
  /// What error messages call it, between quotes.
  let name: String
  let file: InputFile
  /// Where the first element is in the file.
  let offset: Int
  package let type: ElementType
  package let shape: Shape

  /// Returns a copy: floating-point types as f32, integers as i32.
  ///
  /// - Throws: `unsupported` or `format` as `ElementType.tensor`; `io`; `state` when the file has changed
  ///   since it was opened.
  package func tensor() throws(CLIPError) -> Tensor {
    let tensor: Tensor
    if type.isFloat {
      tensor = try Tensor(shape)
      try read(0..<shape.count, into: tensor.f32)
    } else {
      tensor = try bytes().withUnsafeBufferPointer { (bytes) throws(CLIPError) in
        try type.tensor(from: UnsafeRawBufferPointer(bytes), shape: shape, name: name)
      }
    }
    try file.checkUnchanged()
    return tensor
  }

  /// Reads floating-point elements as f32, piece by piece, so that there is one copy of a large part and
  /// not two.
  ///
  /// - Parameter elements: positions in row-major order, inside the array.
  /// - Throws: `io`; `state` when the file has become shorter.
  func read(
    _ elements: Range<Int>, into target: UnsafeMutablePointer<Float>
  ) throws(CLIPError) {
    let start = offset + elements.lowerBound * type.byteSize
    if type == .f32 { return try file.read(start, count: elements.count * 4, into: target) }
    let output = UnsafeMutableBufferPointer(start: target, count: elements.count)
    var done = 0
    try file.forEachPiece(of: start..<start + elements.count * type.byteSize) {
      (piece) throws(CLIPError) in
      let end = done + piece.count / type.byteSize
      type.convert(piece, to: UnsafeMutableBufferPointer(rebasing: output[done..<end]))
      done = end
    }
  }

  /// Returns all bytes.
  func bytes() throws(CLIPError) -> [UInt8] {
    try file.read(offset..<offset + shape.count * type.byteSize)
  }
}
