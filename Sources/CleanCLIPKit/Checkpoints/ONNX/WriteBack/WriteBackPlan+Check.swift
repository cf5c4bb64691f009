internal import ONNXGraphs

extension WriteBackPlan {
  /// Checks that all weights of a graph could be written back if they changed.
  ///
  /// Tensors that several weights share are tried with different values; the others only need a
  /// form that can be rewritten.
  /// - Throws: `unsupported`, naming the weight.
  static func check(_ origin: ONNXImport) throws(CLIPError) {
    let model = origin.model
    var readers: [Int: [(parameter: String, piece: ParameterPiece)]] = [:]
    for parameter in origin.match.parameters {
      for piece in parameter.pieces + parameter.copies {
        guard let index = origin.reader.fileTensor(piece.value) else { continue }
        _ = try TensorContent(model, model.tensors[index], [])
        readers[index, default: []].append((parameter.name, piece))
      }
    }
    for (index, pieces) in readers.sorted(by: { $0.key < $1.key }) {
      try checkIndependence(pieces, of: model.tensors[index], in: model)
    }
    let names = readers.values.map { Set($0.map(\.parameter)) }
    let sharing = Set(names.filter { $0.count > 1 }.joined())
    var changed: [String: Tensor] = [:]
    for (number, parameter) in origin.match.parameters.enumerated() {
      let hasTensors = parameter.pieces.allSatisfy { piece in
        guard let constant = piece.value.constant else { return false }
        if case .tensor = origin.reader.constants[constant].content { return true }
        if case .alpha? = origin.reader.constants[constant].derivation { return true }
        return false
      }
      guard sharing.contains(parameter.name) || !hasTensors else { continue }
      let tensor = try origin.tensor(parameter)
      // Every weight moves by an amount of its own, in steps that half precision keeps apart.
      let step = 0.01 * Float(number + 1)
      for index in 0..<tensor.count {
        tensor.f32[index] = tensor.f32[index].isFinite ? tensor.f32[index] + step : step
      }
      changed[parameter.name] = tensor
    }
    _ = try WriteBackPlan(origin, changed)
  }
}
