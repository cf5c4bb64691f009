internal import CleanCLIPFiles

/// Reductions of axes.
extension GraphReader {
  static let reductionOperators = Reduction.allCases.map { kind in
    GraphOperator(kind.rawValue) { (reader, node) throws(CLIPError) in
      try reader.reduce(kind, node)
    }
  }

  private func reduce(
    _ kind: Reduction, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    let x = try operand(node, 0)
    var axes: [Int] = []
    for entry in try integers(node, attribute: "axes", operand: 1) ?? [] {
      axes.append(try axis(entry, rank: x.rank, node))
    }
    if axes.isEmpty {
      if node.integer("noop_with_empty_axes") == 1 { return x }
      axes = Array(0..<x.rank)
    }
    let keeps = node.integer("keepdims") != 0
    if x.constant != nil {
      return constant(evaluate(kind, try numbers(x, node), axes: axes, keepsAxes: keeps), x.type)
    }
    guard kind.isComputed else { throw unknown(node) }
    return reduction(kind, x, axes: axes.sorted(), keeps: keeps, node)
  }

  func reduction(
    _ kind: Reduction, _ x: GraphValue, axes: [Int], keeps: Bool, _ node: ONNXNode
  ) -> GraphValue {
    var layout = x.layout
    for axis in Set(axes).sorted(by: >) where axis < layout.rank {
      layout = keeps ? layout.replacing(axis, with: []) : layout.removing(at: axis)
    }
    return add(
      .reduction(kind, x, axes: axes), layout, type: x.type, node: node.index, operands: [x])
  }

  private func evaluate(
    _ reduction: Reduction, _ source: Numbers, axes: [Int], keepsAxes: Bool
  ) -> Numbers {
    var groups: [Int: [Double]] = [:]
    var reduced = source.dimensions
    for axis in axes { reduced[axis] = 1 }
    let layout = TensorLayout(contiguous: source.dimensions)
    let strides = TensorLayout(contiguous: reduced)
    let values = source.floats
    // Each element's group is its index with the reduced axes set to zero.
    var groupLayout = layout
    for axis in source.dimensions.indices {
      let stride = axes.contains(axis) ? 0 : strides.axes[axis].first?.stride ?? 0
      groupLayout = groupLayout.replacing(
        axis, with: [StrideFactor(label: .element, stride: stride, extent: source.dimensions[axis])]
      )
    }
    for (index, group) in groupLayout.elementOffsets().enumerated() where index < values.count {
      groups[group, default: []].append(values[index])
    }
    let count = reduced.reduce(1, *)
    let results = (0..<count).map { reduction(groups[$0] ?? []) }
    let kept =
      keepsAxes ? reduced : reduced.indices.filter { !axes.contains($0) }.map { reduced[$0] }
    return source.isInteger && reduction != .mean
      ? Numbers(results.map { Int(max(-0x1p62, min(0x1p62, $0))) }, kept) : Numbers(results, kept)
  }
}
