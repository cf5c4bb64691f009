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
  /// Where the elements are as consecutive little-endian values of the tensor's type; `nil` for lists of
  /// numbers.
  private func place(of tensor: ONNXTensor) -> (file: InputFile, range: Range<Int>)? {
    switch tensor.payload {
    case .raw(let range): (file, range)
    case .floats(let range) where tensor.type == .f32: (file, range)
    case .external(let external): (external.file, external.range)
    default: nil
    }
  }

  /// Reads the elements as consecutive little-endian bytes of the tensor's type, where the file has them
  /// in that form; `nil` for lists of numbers.
  ///
  /// - Throws: `io`; `state` when the file has become shorter.
  package func bytes(of tensor: ONNXTensor) throws(CLIPError) -> [UInt8]? {
    guard let (file, range) = place(of: tensor) else { return nil }
    return try file.read(range)
  }

  /// Reads floating-point elements of a tensor in the order of a layout, without a second copy of a long
  /// run; returns false for lists of numbers.
  ///
  /// - Throws: as `bytes(of:)`.
  package func read(
    _ tensor: ONNXTensor, _ layout: TensorLayout, into target: UnsafeMutableBufferPointer<Float>
  ) throws(CLIPError) -> Bool {
    guard let type = tensor.type, type.isFloat, let (file, range) = place(of: tensor) else {
      return false
    }
    let copy = StridedCopy(layout)
    let extent = copy.extent
    let start = range.lowerBound + extent.lowerBound * type.byteSize
    let part = start..<start + extent.count * type.byteSize
    guard copy.isRun else {
      let bytes = try file.read(part)
      bytes.withUnsafeBytes { copy.read($0, type, into: target) }
      return true
    }
    var done = 0
    try file.forEachPiece(of: part) { (piece) throws(CLIPError) in
      let end = done + piece.count / type.byteSize
      type.convert(piece, to: UnsafeMutableBufferPointer(rebasing: target[done..<end]))
      done = end
    }
    return true
  }

  /// Checks that the model's files are the ones that were opened.
  ///
  /// - Throws: `state`, naming the file that has changed.
  package func checkUnchanged(remedy: String = InputFile.openAgain) throws(CLIPError) {
    try file.checkUnchanged(remedy: remedy)
    for (_, file) in externalFiles.sorted(by: { $0.key < $1.key }) {
      try file.checkUnchanged(remedy: remedy)
    }
  }
}
