internal import Glibc
internal import ONNXGraphs

/// A recognised ONNX file: the model's architecture and where each parameter is.
final class ONNXImport {
  let model: ONNXModel
  let reader: GraphReader
  let match: CLIPMatch
  /// Whether the preprocessing was assumed when the file was loaded.
  var assumesPreprocessing = true

  /// Reads and recognises a file; weights stay in it.
  ///
  /// - Throws: `format` for inconsistent files, `unsupported` for graphs that are not a CLIP model,
  ///   naming the node, what was expected there and what was found.
  init(_ file: InputFile) throws(CLIPError) {
    let path = file.path
    let model = try ONNXModel(file)
    guard model.functionCount == 0 else {
      throw CLIPError(
        .unsupported,
        "'\(path)': graph calls functions of its own; expected standard operators, got "
          + "\(model.functionCount) functions; run onnx.inliner.inline_local_functions on it")
    }
    guard model.opsets[""] != nil else {
      throw CLIPError(
        .format,
        "'\(path)': does not say which version of the standard operators it uses; expected an "
          + "opset_import of the domain ai.onnx, got \(model.opsets.keys.sorted()); export the model "
          + "again")
    }
    guard model.sparseInitializerCount == 0 else {
      throw CLIPError(
        .unsupported,
        "'\(path)': weights are sparse; expected dense tensors, got "
          + "\(model.sparseInitializerCount) sparse ones")
    }
    self.model = model
    (reader, match) = try Self.recognise(model)
  }

  /// Whether the file's metadata, or the lack of them, give this preprocessing.
  func hasInMetadata(_ preprocessing: ImagePreprocessing) -> Bool {
    guard let text = model.metadata[CheckpointPreprocessing.metadataKey] else {
      return assumesPreprocessing && preprocessing == ImagePreprocessing()
    }
    let known = try? ImagePreprocessing.reading(
      try JSONValue.parse(text, name: model.path), imageSize: nil, name: model.path)
    return known == preprocessing
  }

  /// Copies all parameters as single precision.
  ///
  /// - Parameter allowsNonFinite: whether NaN and infinities are returned instead of refused.
  func tensors(allowsNonFinite: Bool = false) throws(CLIPError) -> [String: Tensor] {
    try checkSize()
    var tensors: [String: Tensor] = [:]
    for parameter in match.parameters {
      let tensor = try self.tensor(parameter)
      if !allowsNonFinite {
        let values = UnsafeBufferPointer(start: tensor.f32, count: tensor.count)
        if let bad = values.firstIndex(where: { !$0.isFinite }) {
          throw CLIPError(
            .format,
            "'\(model.path)': weight '\(parameter.name)' (\(origin(of: parameter))) is not a number "
              + "at element \(bad); expected finite values, got \(values[bad])")
        }
      }
      tensors[parameter.name] = tensor
    }
    try model.checkUnchanged()
    return tensors
  }

  /// Checks that the weights are not many times what the file holds: constants can be broadcast, and
  /// one tensor can be read by any number of layers.
  private func checkSize() throws(CLIPError) {
    let stored = 1 << 22 + model.storedCount
    var needed = 0
    for parameter in match.parameters {
      let count = ElementType.elementCount(parameter.shape) ?? .max
      let (sum, overflow) = needed.addingReportingOverflow(count)
      guard !overflow, sum / 4 <= stored else {
        throw CLIPError(
          .format,
          "'\(model.path)': layers need more weights than the file has; expected at most "
            + "\(stored) elements four times over, got more at '\(parameter.name)'")
      }
      needed = sum
    }
  }

  /// Copies one parameter as single precision.
  func tensor(_ parameter: MatchedParameter) throws(CLIPError) -> Tensor {
    let tensor = try Tensor(Shape(parameter.shape))
    let rowLength = parameter.shape.dropFirst().reduce(1, *)
    for piece in parameter.pieces {
      let start = piece.rows.lowerBound * rowLength
      let target = UnsafeMutableBufferPointer(
        start: tensor.f32 + start, count: piece.rows.count * rowLength)
      try read(piece, into: target, name: parameter.name)
    }
    return tensor
  }

  /// Copies the elements of a piece in the parameter's order.
  func read(
    _ piece: ParameterPiece, into target: UnsafeMutableBufferPointer<Float>, name: String
  ) throws(CLIPError) {
    guard piece.value.count == target.count, let index = piece.value.constant else {
      throw CLIPError(
        .internal,
        "'\(model.path)': weight '\(name)' has shape \(piece.value.dimensions); expected "
          + "\(target.count) elements")
    }
    let source = reader.constants[index]
    var isRead = false
    if case .tensor(let tensor) = source.content {
      isRead = try model.read(model.tensors[tensor], piece.value.layout, into: target)
    }
    if !isRead {
      // The budget is for one reading of the graph; a model can be saved any number of times.
      reader.evaluatedTotal = 0
      let numbers = try reader.numbers(piece.value, nil).floats
      for (index, number) in numbers.enumerated() { target[index] = Float(number) }
    }
    if piece.transform == .exponential {
      for index in target.indices { target[index] = Self.logarithm(target[index]) }
    }
  }

  /// The tensor of the file that holds a parameter, for messages.
  func origin(of parameter: MatchedParameter) -> String {
    guard let value = parameter.pieces.first?.value, let index = reader.fileTensor(value) else {
      return "a computed constant"
    }
    let name = model.tensors[index].name
    return name.isEmpty ? "a constant of the graph" : "tensor '\(name)'"
  }
}

extension ONNXImport {
  /// The natural logarithm in double precision, rounded once.
  static func logarithm(_ value: Float) -> Float { Float(log(Double(value))) }

  /// The exponential in double precision, rounded once.
  static func exponential(_ value: Float) -> Float { Float(exp(Double(value))) }
}
