internal import ONNXGraphs

/// New elements of a tensor of the file: the old ones with pieces of parameters written over them.
struct TensorContent {
  /// A piece with its new values in the parameter's order.
  struct Change {
    let parameter: String
    let piece: ParameterPiece
    let values: UnsafeBufferPointer<Float>
  }

  private let model: ONNXModel
  private let tensor: ONNXTensor
  private let type: ElementType
  private let changes: [Change]

  /// - Throws: `unsupported` for a tensor whose form cannot be rewritten.
  init(_ model: ONNXModel, _ tensor: ONNXTensor, _ changes: [Change]) throws(CLIPError) {
    self.model = model
    self.tensor = tensor
    self.changes = changes
    let isWritable: Bool =
      switch tensor.payload {
      case .raw, .floats, .external: true
      case .numbers(_, let isPacked): isPacked
      case .none, .doubles, .unreadable: false
      }
    guard let type = tensor.type, type.isFloat, isWritable else {
      throw CLIPError(
        .unsupported,
        "'\(model.path)': tensor '\(tensor.name)' cannot be rewritten; expected raw_data, packed "
          + "float_data or int32_data, or an external file; save the model again with onnx.save")
    }
    self.type = type
  }

  /// The elements as consecutive little-endian bytes of the tensor's type.
  ///
  /// - Throws: `unsupported` when a value is too large for the type.
  func bytes() throws(CLIPError) -> [UInt8] {
    var bytes: [UInt8]
    if case .numbers(let patterns, _) = tensor.payload {
      bytes = patterns.flatMap {
        [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)]
      }
    } else {
      bytes = try model.bytes(of: tensor) ?? []
    }
    for change in changes {
      try write(change.values, of: change, change.piece.value.layout, into: &bytes)
    }
    return bytes
  }

  /// Writes values of a change over the elements of a layout.
  private func write(
    _ values: UnsafeBufferPointer<Float>, of change: Change, _ layout: TensorLayout,
    into bytes: inout [UInt8]
  ) throws(CLIPError) {
    let copy = StridedCopy(layout)
    let bad = bytes.withUnsafeMutableBytes { target in
      switch change.piece.transform {
      case .none: copy.write(values, type, into: target)
      case .exponential:
        values.map(ONNXImport.exponential).withUnsafeBufferPointer {
          copy.write($0, type, into: target)
        }
      }
    }
    if let bad { throw misfit(change, values[bad]) }
  }

  private func misfit(_ change: Change, _ value: Float) -> CLIPError {
    CLIPError(
      .unsupported,
      "'\(model.path)': weight '\(change.parameter)' does not fit tensor '\(tensor.name)'; "
        + "expected values of \(type.rawValue.lowercased()), got \(value); save the model as "
        + "safetensors")
  }

  /// Appends the elements of a raw or external tensor to a file: piece by piece where one change
  /// covers the tensor in its own order, as tables and convolutions have it.
  ///
  /// - Throws: `io`; `unsupported` when a value is too large for the type.
  func append(to file: inout AtomicFile) throws(CLIPError) {
    guard changes.count == 1, let change = changes.first, change.values.count == tensor.count,
      StridedCopy(change.piece.value.layout).isContiguous
    else {
      try file.append(try bytes())
      return
    }
    for start in stride(from: 0, to: tensor.count, by: 1 << 22) {
      let values = UnsafeBufferPointer(
        rebasing: change.values[start..<min(start + 1 << 22, tensor.count)])
      var bytes = [UInt8](repeating: 0, count: values.count * type.byteSize)
      try write(values, of: change, TensorLayout(contiguous: [values.count]), into: &bytes)
      try file.append(bytes)
    }
  }

  /// The elements as the 16-bit patterns that the file lists as numbers.
  func patterns() throws(CLIPError) -> [UInt16] {
    let bytes = try bytes()
    return stride(from: 0, to: bytes.count - 1, by: 2).map {
      UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8
    }
  }

  /// Bytes of the elements.
  var byteCount: Int { tensor.count * type.byteSize }
}
