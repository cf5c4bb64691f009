internal import ONNXGraphs

/// Recognises a CLIP model in the computations of a graph, from its outputs backwards.
///
/// Each function asks what must be at one place of the model and throws what it found instead, so
/// that a graph that does not fit is refused with the node where it differs.
final class GraphMatcher {
  let reader: GraphReader
  var model: ONNXModel { reader.model }
  /// How far constants of the graph may be from their values: half precision rounds them.
  let tolerance: Double

  init(_ reader: GraphReader) {
    self.reader = reader
    let types = Set(reader.model.tensors.compactMap(\.type))
    tolerance = types.contains(.bf16) ? 2e-2 : types.contains(.f16) ? 3e-3 : 1e-4
  }

  /// The computation behind a value; `nil` for constants.
  func expression(_ value: GraphValue) -> Expression? {
    value.expression.map { reader.expressions[$0] }
  }

  /// The node that computes a value; `nil` for constants and inputs of the graph.
  func node(of value: GraphValue) -> ONNXNode? {
    expression(value)?.node.map { model.nodes[$0] }
  }

  func computation(_ value: GraphValue) -> Computation? { expression(value)?.computation }

  /// The part of `operand` that `value` is computed from, when `value`'s operation works on each
  /// element alone along the indices that are asked for.
  func compose(_ value: GraphValue, _ operand: GraphValue) -> GraphValue {
    guard let expression = expression(value) else { return operand }
    let labels = Set(operand.layout.axes.joined().filter { $0.stride > 0 }.map(\.label))
    let axes = value.layout.axes.map { axis in axis.filter { labels.contains($0.label) } }
    let offsets = AxisLabel.allCases.map { label in
      operand.layout.offset(label) + value.layout.offset(label) - expression.layout.offset(label)
    }
    return operand.with(TensorLayout(axes: axes, offsets: offsets))
  }

  /// Whether two values come from one computation at the same places.
  func isSame(_ a: GraphValue, _ b: GraphValue) -> Bool {
    a.origin == b.origin && a.layout.offsets == b.layout.offsets
  }

  func isClose(_ a: Double, _ b: Double) -> Bool {
    a.isFinite && b.isFinite && abs(a - b) <= tolerance * max(abs(a), abs(b))
  }

  // MARK: - Constants beside computed tensors

  /// The elements of a constant operand that belong to the places of `value` along `labels`, one
  /// axis for each label; `nil` when the constant varies along others.
  func aligned(
    _ constant: GraphValue, to value: GraphValue, _ labels: [AxisLabel]
  ) -> GraphValue? {
    guard let expression = expression(value) else { return nil }
    var layout = constant.layout
    while layout.rank < expression.layout.rank { layout = layout.inserting(at: 0) }
    guard layout.rank == expression.layout.rank else { return nil }
    var modes: [AxisLabel: [(stride: Int, extent: Int, factors: [StrideFactor])]] = [:]
    for (axis, factors) in expression.layout.axes.enumerated() {
      if layout.axes[axis].allSatisfy({ $0.stride == 0 }) { continue }
      let single = TensorLayout(axes: [layout.axes[axis]])
      guard let split = single.reshaped(to: factors.map(\.extent)) else { return nil }
      for (factor, part) in zip(factors, split.axes) {
        modes[factor.label, default: []].append((factor.stride, factor.extent, part))
      }
    }
    guard Set(modes.keys).isSubset(of: labels) else { return nil }
    var result = TensorLayout(axes: [], offsets: layout.offsets)
    for label in labels {
      let parts = (modes[label] ?? []).sorted { $0.stride > $1.stride }
      // The factors must count without gaps for a position to be a place of the constant.
      for (outer, inner) in zip(parts, parts.dropFirst())
      where outer.stride != inner.stride * inner.extent { return nil }
      let whole = TensorLayout.merged(parts.flatMap(\.factors))
      let unit = parts.last?.stride ?? 1
      guard unit > 0 else { return nil }
      let start = value.layout.offset(label) - expression.layout.offset(label)
      guard
        let chosen = restrict(
          result.inserting(at: result.rank, whole), axis: result.rank, start: start / unit,
          value.layout.factors(label), unit: unit)
      else { return nil }
      result = chosen
    }
    return constant.with(result)
  }

  /// Keeps the places of an axis that stride factors of another tensor count.
  func restrict(
    _ layout: TensorLayout, axis: Int, start: Int, _ factors: [StrideFactor], unit: Int = 1
  ) -> TensorLayout? {
    let size = layout.dimensions[axis]
    if size == 1 { return layout }
    let chosen = TensorLayout.merged(factors)
    let count = TensorLayout.extent(chosen)
    guard start >= 0, start < size else { return nil }
    if chosen.isEmpty { return layout.sliced(axis: axis, start: start, count: 1) }
    if chosen.count == 1, chosen[0].stride == unit {
      guard start + count <= size else { return nil }
      return layout.sliced(axis: axis, start: start, count: count)
    }
    guard layout.axes[axis].count == 1, let whole = layout.axes[axis].first else { return nil }
    let last = chosen.reduce(start) { $0 + ($1.extent - 1) * ($1.stride / unit) }
    guard last < size else { return nil }
    var result = layout.replacing(
      axis,
      with: chosen.map {
        StrideFactor(label: .element, stride: $0.stride / unit * whole.stride, extent: $0.extent)
      })
    result.offsets[AxisLabel.element.rawValue] += start * whole.stride
    return result
  }

  // MARK: - Errors

  /// Says that something else was expected at a value.
  func mismatch(
    _ value: GraphValue, expected: String, got: String? = nil, remedy: String? = nil
  ) -> CLIPError {
    let found = got ?? describe(value)
    guard let node = node(of: value) else {
      return CLIPError(
        .unsupported,
        "'\(model.path)': graph is not a CLIP model; expected \(expected), got \(found)"
          + (remedy.map { "; \($0)" } ?? ""))
    }
    return reader.refusal(
      node, "does not fit a CLIP model", expected: expected, got: found,
      remedy: remedy)
  }

  /// What a value is, in the words of the field.
  func describe(_ value: GraphValue) -> String {
    guard let computation = computation(value) else { return "a constant" }
    let kind: String =
      switch computation {
      case .image: "the images themselves"
      case .tokens: "the token ids themselves"
      case .convolution: "a convolution"
      case .linear: "a linear layer"
      case .product: "a product of two computed tensors"
      case .binary(let operation, _, _): "an elementwise \(operation.rawValue)"
      case .unary(.relu, _): "a ReLU"
      case .unary(let operation, _): "an elementwise \(operation.rawValue)"
      case .reduction(let reduction, _, _): "a \(reduction.rawValue)"
      case .softmax: "a softmax"
      case .layerNorm: "a layer normalisation"
      case .batchNorm: "a batch normalisation"
      case .averagePool: "an average pooling"
      case .embedding: "a table look-up"
      case .gather, .gatherND: "a selection by computed indices"
      case .argMax: "a position"
      case .concatenation: "concatenated tensors"
      case .clip: "limited values"
      case .activation(let activation, _): "the activation \(activation.rawValue)"
      case .attention: "an attention"
      }
    let sizes = value.layout.axes.map { axis in
      !axis.isEmpty && axis.allSatisfy { $0.label == .batch } ? "n" : "\(TensorLayout.extent(axis))"
    }
    return "\(kind) of shape [\(sizes.joined(separator: ", "))]"
  }
}
