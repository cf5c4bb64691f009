internal import CleanCLIPFiles

/// Matrix products.
extension GraphReader {
  static let productOperators = [
    GraphOperator("MatMul") { (reader, node) throws(CLIPError) in
      try reader.product(try reader.operand(node, 0), try reader.operand(node, 1), node)
    },
    GraphOperator("Gemm") { (reader, node) throws(CLIPError) in
      try reader.gemm(node)
    },
    GraphOperator("FusedMatMul", .microsoft) { (reader, node) throws(CLIPError) in
      try reader.fusedProduct(node)
    },
    GraphOperator("TransposeMatMul", .microsoft) { (reader, node) throws(CLIPError) in
      try reader.fusedProduct(node)
    },
    GraphOperator("FusedGemm", .microsoft) { (reader, node) throws(CLIPError) in
      try reader.fusedActivation(try reader.gemm(node), node)
    },
  ]

  /// The product of two tensors: with a constant matrix a linear layer, else as in attention.
  func product(
    _ a: GraphValue, _ b: GraphValue, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    if a.constant != nil {
      throw refusal(
        node, "multiplies a constant from the left", expected: "a computed first operand",
        got: "a constant of shape \(a.dimensions)")
    }
    guard b.constant == nil else { return try linear(a, b, node) }
    guard a.rank >= 2, b.rank >= 2 else {
      throw refusal(
        node, "multiplies vectors", expected: "operands of rank 2 or more",
        got: "\(a.dimensions) and \(b.dimensions)")
    }
    let rank = max(a.rank, b.rank)
    var x = a.layout
    var y = b.layout
    while x.rank < rank { x = x.inserting(at: 0) }
    while y.rank < rank { y = y.inserting(at: 0) }
    guard Self.contracts(x.axes[rank - 1], y.axes[rank - 2]),
      (0..<rank - 2).allSatisfy({
        x.axes[$0] == y.axes[$0] || x.axes[$0].isEmpty || y.axes[$0].isEmpty
      })
    else {
      throw refusal(
        node, "contracts axes of different meaning",
        expected: "the same axis in both operands",
        got: "\(Self.text(x.axes[rank - 1])) and \(Self.text(y.axes[rank - 2]))")
    }
    var axes = (0..<rank - 2).map { x.axes[$0].isEmpty ? y.axes[$0] : x.axes[$0] }
    axes += [x.axes[rank - 2], y.axes[rank - 1].map(Self.attended)]
    var offsets = x.offsets
    offsets[AxisLabel.feature.rawValue] = 0
    return add(
      .product(a, b), TensorLayout(axes: Self.compacted(axes), offsets: offsets), type: a.type,
      node: node.index, operands: [a, b])
  }

  /// Whether axes count the same: weights meet the tokens that they attend to, not those that attend.
  private static func contracts(_ axis: [StrideFactor], _ other: [StrideFactor]) -> Bool {
    other.contains { $0.label == .token } ? axis == other.map(attended) : axis == other
  }

  /// Tokens as the keys of an attention: scores count tokens along two axes.
  private static func attended(_ factor: StrideFactor) -> StrideFactor {
    factor.label == .token
      ? StrideFactor(label: .key, stride: factor.stride, extent: factor.extent) : factor
  }

  /// Numbers the features of a product densely: heads may have been cut out of a wider tensor.
  private static func compacted(_ axes: [[StrideFactor]]) -> [[StrideFactor]] {
    let features = axes.joined().filter { $0.label == .feature }.sorted { $0.stride < $1.stride }
    // Scores keep the numbers of their heads, which the values' heads must equal.
    guard axes.last?.contains(where: { $0.label == .feature }) == true,
      Set(features).count == features.count
    else { return axes }
    var strides: [StrideFactor: Int] = [:]
    var stride = 1
    for factor in features {
      strides[factor] = stride
      stride *= factor.extent
    }
    return axes.map { axis in
      axis.map { factor in
        var factor = factor
        if let stride = strides[factor] { factor.stride = stride }
        return factor
      }
    }
  }

  /// x · W with a constant W [in, out].
  func linear(
    _ x: GraphValue, _ weight: GraphValue, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    var layout = weight.layout
    while layout.rank > 2, layout.axes[0].isEmpty { layout = layout.removing(at: 0) }
    guard layout.rank == 2, x.rank >= 1, let last = x.dimensions.last,
      layout.dimensions[0] == last
    else {
      throw refusal(
        node, "multiplies with a constant of the wrong shape",
        expected: "[\(x.dimensions.last ?? 0), out]", got: "\(weight.dimensions)")
    }
    var result = x.layout.replacing(
      x.rank - 1, with: [StrideFactor(label: .feature, stride: 1, extent: layout.dimensions[1])])
    result.offsets[AxisLabel.feature.rawValue] = 0
    return add(
      .linear(x, weight: weight.with(layout)), result, type: x.type, node: node.index,
      operands: [x])
  }

  func gemm(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    var a = try operand(node, 0)
    var b = try operand(node, 1)
    guard a.rank == 2, b.rank == 2 else {
      throw refusal(
        node, "multiplies tensors of the wrong rank", expected: "two matrices",
        got: "\(a.dimensions) and \(b.dimensions)", code: .format)
    }
    if node.flag("transA") { a = a.with(a.layout.transposed([1, 0])) }
    if node.flag("transB") { b = b.with(b.layout.transposed([1, 0])) }
    var result = try product(a, b, node)
    if let alpha = node.float("alpha"), alpha != 1 {
      result = try binary(
        .multiply, result, constant(Numbers([Double(alpha)], []), a.type), node)
    }
    guard let c = optionalOperand(node, 2) else { return result }
    if let beta = node.float("beta"), beta != 1 {
      throw refusal(node, "scales its bias", expected: "beta 1", got: "\(beta)")
    }
    return try binary(.add, result, c, node)
  }
}
