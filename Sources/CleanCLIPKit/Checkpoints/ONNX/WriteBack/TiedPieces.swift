internal import ONNXGraphs

extension WriteBackPlan {
  /// Checks that no element of a tensor needs two values at one place of the graph, where two weights
  /// are one.
  ///
  /// - Parameter pieces: everything that is read from the tensor, changed or not.
  /// - Throws: `unsupported`, naming the weights.
  func checkTies(_ pieces: [TensorContent.Change], of tensor: ONNXTensor) throws(CLIPError) {
    for group in Dictionary(grouping: pieces, by: \.piece.value.path).values
    where Self.mayOverlap(group.map(\.piece)) {
      var values = [Float](repeating: .nan, count: tensor.count)
      for piece in group {
        for (element, value) in zip(piece.piece.value.layout.elementOffsets(), piece.values) {
          guard values[element].isNaN || values[element] == value else {
            throw Self.tie(group.map(\.parameter), tensor, origin.model)
          }
          values[element] = value
        }
      }
    }
  }

  /// Checks that all pieces that are read from a tensor could change on their own, copies of one
  /// piece together.
  static func checkIndependence(
    _ pieces: [(parameter: String, piece: ParameterPiece)], of tensor: ONNXTensor,
    in model: ONNXModel
  ) throws(CLIPError) {
    for group in Dictionary(grouping: pieces, by: \.piece.value.path).values
    where mayOverlap(group.map(\.piece)) {
      let names = group.map { "\($0.parameter) \($0.piece.rows.lowerBound)" }
      var readers = [Int](repeating: -1, count: tensor.count)
      for (name, (_, piece)) in zip(names, group) {
        let reader = names.firstIndex(of: name) ?? 0
        let elements = piece.value.layout.elementOffsets()
        guard !repeats(piece), elements.allSatisfy({ readers[$0] < 0 || readers[$0] == reader })
        else { throw tie(group.map(\.parameter), tensor, model) }
        for element in elements { readers[element] = reader }
      }
    }
  }

  private static func tie(
    _ parameters: [String], _ tensor: ONNXTensor, _ model: ONNXModel
  ) -> CLIPError {
    CLIPError(
      .unsupported,
      "'\(model.path)': weights \(Set(parameters).sorted()) are one at one place of the graph, in "
        + "tensor '\(tensor.name)'; expected an element for each; save the model as safetensors or "
        + "to a new graph")
  }

  /// Whether a piece is one of its elements several times.
  private static func repeats(_ piece: ParameterPiece) -> Bool {
    piece.value.layout.axes.joined().contains { $0.stride == 0 }
  }

  /// Whether pieces may share elements; strides mostly tell without looking at each element.
  private static func mayOverlap(_ pieces: [ParameterPiece]) -> Bool {
    let layouts = pieces.map(\.value.layout)
    return pieces.indices.contains { index in
      repeats(pieces[index])
        || layouts[..<index].contains { !$0.isApart(from: layouts[index]) }
    }
  }
}

extension TensorLayout {
  /// Whether two parts of a constant are ranges of one axis without a common place; false as well
  /// where that cannot be told from strides.
  fileprivate func isApart(from other: TensorLayout) -> Bool {
    let modes = axes.joined().sorted { $0.stride > $1.stride }
    guard modes == other.axes.joined().sorted(by: { $0.stride > $1.stride }) else { return false }
    let distance = abs(offset(.element) - other.offset(.element))
    return modes.indices.contains { index in
      let mode = modes[index]
      guard mode.stride > 0, distance % mode.stride == 0 else { return false }
      let places = distance / mode.stride
      let inner = modes[(index + 1)...].reduce(0) { $0 + ($1.extent - 1) * $1.stride }
      // Steps of slower modes are too long to bring the ranges together.
      let isInside =
        index == 0
        || (modes[index - 1].stride >= (places + mode.extent) * mode.stride
          && modes[..<index].allSatisfy { $0.stride % modes[index - 1].stride == 0 })
      return places >= mode.extent && inner < mode.stride && isInside
    }
  }
}
