internal import CleanCLIPFiles

/// Attention as one operator, and the operators that ONNX Runtime fuses others into.
extension GraphReader {
  static let fusedOperators = [
    GraphOperator(
      "SkipLayerNormalization", .microsoft,
      results: { (reader, node) throws(CLIPError) in
        try reader.skipLayerNormalization(node)
      }),
    GraphOperator("Attention") { (reader, node) throws(CLIPError) in
      try reader.standardAttention(node)
    },
    GraphOperator("Attention", .microsoft) { (reader, node) throws(CLIPError) in
      try reader.packedAttention(node)
    },
    GraphOperator("MultiHeadAttention", .microsoft) { (reader, node) throws(CLIPError) in
      try reader.multiHeadAttention(node)
    },
    GraphOperator("Gelu") { (reader, node) throws(CLIPError) in
      try reader.gelu(node)
    },
    GraphOperator("Gelu", .microsoft) { (reader, node) throws(CLIPError) in
      try reader.biasedActivation(.gelu, node)
    },
    GraphOperator("BiasGelu", .microsoft) { (reader, node) throws(CLIPError) in
      try reader.biasedActivation(.gelu, node)
    },
    GraphOperator("FastGelu", .microsoft) { (reader, node) throws(CLIPError) in
      try reader.biasedActivation(.geluTanh, node)
    },
    GraphOperator("QuickGelu", .microsoft) { (reader, node) throws(CLIPError) in
      try reader.quickGELU(node)
    },
    GraphOperator("RMSNormalization") { (reader, node) throws(CLIPError) in
      try reader.rootMeanSquareNormalization(node)
    },
    GraphOperator("SimplifiedLayerNormalization") { (reader, node) throws(CLIPError) in
      try reader.rootMeanSquareNormalization(node)
    },
    GraphOperator("SimplifiedLayerNormalization", .microsoft) { (reader, node) throws(CLIPError) in
      try reader.rootMeanSquareNormalization(node)
    },
  ]

  /// The standard `Attention` of operator set 23.
  func standardAttention(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    var operands: [GraphValue] = []
    let headCounts = [
      node.integer("q_num_heads"), node.integer("kv_num_heads"), node.integer("kv_num_heads"),
    ]
    let isFlat = try operand(node, 0).rank == 3
    for position in 0..<3 {
      let value = try operand(node, position)
      operands.append(
        isFlat ? try heads(of: value, count: headCounts[position] ?? 0, node) : value)
    }
    guard optionalOperand(node, 4) == nil, optionalOperand(node, 5) == nil,
      (node.float("softcap") ?? 0) == 0, node.outputs.dropFirst().allSatisfy(\.isEmpty)
    else {
      throw refusal(
        node, "keeps a state or limits its scores", expected: "plain attention",
        got: "a key-value cache or softcap")
    }
    let result = try attention(
      operands[0], operands[1], operands[2], mask: try additiveMask(node, 3),
      isCausal: node.integer("is_causal") == 1, scale: node.float("scale").map { Double($0) }, node)
    return isFlat ? try joinHeads(result, node) : result
  }

  /// A mask operand as numbers to add to the scores; booleans say what is attended to.
  private func additiveMask(
    _ node: ONNXNode, _ position: Int
  ) throws(CLIPError) -> GraphValue? {
    guard let mask = optionalOperand(node, position) else { return nil }
    let source = try numbers(mask, node)
    guard mask.type == .bool else { return mask }
    return constant(
      Numbers(source.integers.map { $0 != 0 ? 0 : -Double.infinity }, source.dimensions), .f32)
  }

  private func attention(
    _ query: GraphValue, _ key: GraphValue, _ value: GraphValue, mask: GraphValue?,
    isCausal: Bool, scale: Double?, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    guard query.rank == 4, key.rank == 4, value.rank == 4, query.expression != nil,
      key.expression != nil, value.expression != nil, let width = query.dimensions.last,
      query.layout.axes[1].allSatisfy({ $0.label == .feature }),
      query.layout.axes[2].allSatisfy({ $0.label == .token }),
      key.layout.axes[2].allSatisfy({ $0.label == .token }),
      query.layout.axes[3] == key.layout.axes[3], query.layout.axes[1] == key.layout.axes[1],
      key.layout.axes[2] == value.layout.axes[2], query.layout.axes[0] == value.layout.axes[0]
    else {
      throw refusal(
        node, "has operands that do not fit", expected: "three times [n, heads, tokens, width]",
        got: "\(query.dimensions), \(key.dimensions) and \(value.dimensions)")
    }
    let attention = AttentionNode(
      query: query, key: key, value: value, mask: mask, isCausal: isCausal,
      scale: scale ?? 1 / Double(width).squareRoot())
    var axes = value.layout.axes
    axes[2] = query.layout.axes[2]
    let heads = axes[1].first?.extent ?? 1
    let inner = value.dimensions[3]
    axes[1] = [StrideFactor(label: .feature, stride: inner, extent: heads)]
    axes[3] = [StrideFactor(label: .feature, stride: 1, extent: inner)]
    var offsets = query.layout.offsets
    offsets[AxisLabel.feature.rawValue] = 0
    return add(
      .attention(attention), TensorLayout(axes: axes, offsets: offsets), type: query.type,
      node: node.index, operands: [query, key, value])
  }

  /// [n, tokens, heads · width] as [n, heads, tokens, width].
  private func heads(
    of value: GraphValue, count: Int, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    let dimensions = value.dimensions
    guard value.rank == 3, count > 0, dimensions[2] % count == 0 else {
      throw refusal(
        node, "has heads that do not divide its width", expected: "a divisor of \(dimensions)",
        got: "\(count)")
    }
    let split = try reshape(
      value, to: [dimensions[0], dimensions[1], count, dimensions[2] / count], node)
    return split.with(split.layout.transposed([0, 2, 1, 3]))
  }

  private func joinHeads(_ value: GraphValue, _ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let moved = value.with(value.layout.transposed([0, 2, 1, 3]))
    let dimensions = moved.dimensions
    return try reshape(
      moved, to: [dimensions[0], dimensions[1], dimensions[2] * dimensions[3]], node)
  }

  /// `com.microsoft::Attention`: query, key and value come from one packed linear layer.
  func packedAttention(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let input = try operand(node, 0)
    var packed = try linear(input, try operand(node, 1), node)
    if let bias = optionalOperand(node, 2) { packed = try binary(.add, packed, bias, node) }
    let width = packed.dimensions[packed.rank - 1]
    let sizes = node.integers("qkv_hidden_sizes") ?? [width / 3, width / 3, width / 3]
    try checkMask(node, 3)
    let bias = optionalOperand(node, 5)
    guard optionalOperand(node, 4) == nil, isZero(bias),
      packed.rank == 3, sizes.count == 3, sizes.allSatisfy({ $0 == sizes[0] }),
      sizes[0] > 0, sizes[0] <= width, 3 * sizes[0] == width
    else {
      throw refusal(
        node, "keeps a state, or has parts of different widths", expected: "plain self-attention",
        got: "width \(width), parts \(sizes)")
    }
    var parts: [GraphValue] = []
    for index in 0..<3 {
      guard
        let layout = packed.layout.sliced(axis: 2, start: index * sizes[0], count: sizes[0])
      else { throw unknown(node) }
      parts.append(try heads(of: packed.with(layout), count: node.integer("num_heads") ?? 0, node))
    }
    let result = try attention(
      parts[0], parts[1], parts[2], mask: nil, isCausal: node.integer("unidirectional") == 1,
      scale: node.float("scale").flatMap { $0 == 0 ? nil : Double($0) }, node)
    return try joinHeads(result, node)
  }

  /// A padding mask must let everything through.
  private func checkMask(_ node: ONNXNode, _ position: Int) throws(CLIPError) {
    guard let mask = optionalOperand(node, position) else { return }
    guard mask.constant != nil, uniform(mask) == 1 || mask.dimensions.count == 1 else {
      throw refusal(
        node, "has a mask that the library cannot read", expected: "no mask or one of ones",
        got: "shape \(mask.dimensions)")
    }
  }

  func multiHeadAttention(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    var parts: [GraphValue] = []
    let count = node.integer("num_heads") ?? 0
    let bias = optionalOperand(node, 3)
    for position in 0..<3 {
      var value = try operand(node, position)
      if let bias {
        let width = value.dimensions.last ?? 0
        guard bias.rank == 1, bias.count == 3 * width,
          let layout = bias.layout.sliced(axis: 0, start: position * width, count: width)
        else { throw unknown(node) }
        value = try binary(.add, value, bias.with(layout), node)
      }
      parts.append(try heads(of: value, count: count, node))
    }
    guard optionalOperand(node, 4) == nil, optionalOperand(node, 6) == nil else {
      throw refusal(
        node, "has a padding mask or a state", expected: "plain attention", got: "more operands")
    }
    let result = try attention(
      parts[0], parts[1], parts[2], mask: optionalOperand(node, 5),
      isCausal: node.integer("unidirectional") == 1,
      scale: node.float("scale").flatMap { $0 == 0 ? nil : Double($0) }, node)
    return try joinHeads(result, node)
  }

  func gelu(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let isTanh = node.string("approximate") == "tanh"
    return activation(isTanh ? .geluTanh : .gelu, try operand(node, 0), node)
  }

  /// An activation of a tensor, or of its sum with a second operand.
  private func biasedActivation(
    _ kind: GraphActivation, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    var value = try operand(node, 0)
    if let bias = optionalOperand(node, 1) { value = try binary(.add, value, bias, node) }
    return activation(kind, value, node)
  }

  func quickGELU(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let alpha = node.float("alpha") ?? 1.702
    guard abs(alpha - 1.702) < 1e-3 else {
      throw refusal(node, "has an unknown slope", expected: "alpha 1.702", got: "\(alpha)")
    }
    return activation(.quickGELU, try operand(node, 0), node)
  }

  func fusedProduct(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    var a = try operand(node, 0)
    var b = try operand(node, 1)
    guard a.rank >= 2, b.rank >= 2 else { throw unknown(node) }
    if node.flag("transBatchA") { a = a.with(Self.movingFirstBehindBatch(a.layout)) }
    if node.flag("transBatchB") { b = b.with(Self.movingFirstBehindBatch(b.layout)) }
    if node.flag("transA") { a = a.with(a.layout.swapping(a.rank - 2, a.rank - 1)) }
    if node.flag("transB") { b = b.with(b.layout.swapping(b.rank - 2, b.rank - 1)) }
    let result = try product(a, b, node)
    guard let alpha = node.float("alpha"), alpha != 1 else { return result }
    let factor = constant(
      Numbers([Double(alpha)], []), a.type, derivation: .alpha(node: node.index))
    return try binary(.multiply, result, factor, node)
  }

  /// [rows, batch …, columns] as [batch …, rows, columns].
  private static func movingFirstBehindBatch(_ layout: TensorLayout) -> TensorLayout {
    layout.transposed(Array(1..<layout.rank - 1) + [0, layout.rank - 1])
  }

  /// x / sqrt(mean(x²) + ε) · γ, written in its parts: ONNX Runtime finds it inside a layer
  /// normalisation that was exported in parts.
  func rootMeanSquareNormalization(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let x = try operand(node, 0)
    let axis = try axis(node.integer("axis") ?? -1, rank: x.rank, node)
    guard axis == x.rank - 1, x.constant == nil else { throw unknown(node) }
    let two = constant(Numbers([2.0], []), x.type)
    let epsilon = constant(Numbers([Double(node.float("epsilon") ?? 1e-5)], []), x.type)
    let squares = try binary(.power, x, two, node)
    let mean = reduction(.mean, squares, axes: [axis], keeps: true, node)
    let root = unary(.sqrt, try binary(.add, mean, epsilon, node), node)
    return try binary(
      .multiply, try binary(.divide, x, root, node), try operand(node, 1), node)
  }

  func fusedActivation(
    _ value: GraphValue, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    switch node.string("activation") ?? "" {
    case "": return value
    case "Relu": return unary(.relu, value, node)
    case "Sigmoid": return unary(.sigmoid, value, node)
    case "Tanh": return unary(.tanh, value, node)
    case let other:
      throw refusal(
        node, "has an unknown activation", expected: "Relu, Sigmoid or Tanh", got: other)
    }
  }

  /// `com.microsoft::FusedConv`: convolution, residual, activation.
  func fusedConvolution(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    var result = try convolution(node)
    if let residual = optionalOperand(node, 3) {
      result = try binary(.add, result, residual, node)
    }
    return try fusedActivation(result, node)
  }

  /// Outputs: normalised sum, two statistics that inference does not make, the sum.
  func skipLayerNormalization(_ node: ONNXNode) throws(CLIPError) -> [GraphValue] {
    var sum = try operand(node, 0)
    if let bias = optionalOperand(node, 4) { sum = try binary(.add, sum, bias, node) }
    sum = try binary(.add, sum, try operand(node, 1), node)
    let normalized = try layerNorm(
      sum, weight: try operand(node, 2), bias: optionalOperand(node, 3),
      epsilon: node.float("epsilon") ?? 1e-12, node)
    return [normalized, sum, sum, sum]
  }
}
