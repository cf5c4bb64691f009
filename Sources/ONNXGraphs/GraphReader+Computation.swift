internal import CleanCLIPFiles

/// Convolutions, normalisations, reductions and selections.
extension GraphReader {
  static let computationOperators = [
    GraphOperator("Conv") { (reader, node) throws(CLIPError) in
      try reader.convolution(node)
    },
    GraphOperator("FusedConv", .microsoft) { (reader, node) throws(CLIPError) in
      try reader.fusedConvolution(node)
    },
    GraphOperator("BatchNormalization") { (reader, node) throws(CLIPError) in
      try reader.batchNormalization(node)
    },
    GraphOperator("LayerNormalization") { (reader, node) throws(CLIPError) in
      try reader.layerNormalization(node)
    },
    GraphOperator("LayerNormalization", .microsoft) { (reader, node) throws(CLIPError) in
      try reader.layerNormalization(node)
    },
    GraphOperator("AveragePool") { (reader, node) throws(CLIPError) in
      try reader.averagePool(node)
    },
    GraphOperator("GlobalAveragePool") { (reader, node) throws(CLIPError) in
      try reader.globalAveragePool(node)
    },
    GraphOperator("Softmax") { (reader, node) throws(CLIPError) in
      try reader.softmax(node)
    },
    GraphOperator("LpNormalization") { (reader, node) throws(CLIPError) in
      try reader.unitNormalization(node)
    },
    GraphOperator("ArgMax") { (reader, node) throws(CLIPError) in
      try reader.argMax(node)
    },
    GraphOperator("GatherND") { (reader, node) throws(CLIPError) in
      try reader.gatherND(node)
    },
  ]

  func convolution(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    try convolution(
      try operand(node, 0), weight: try operand(node, 1), bias: optionalOperand(node, 2), node)
  }

  func convolution(
    _ x: GraphValue, weight: GraphValue, bias: GraphValue?, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    guard x.layout.isImage, weight.constant != nil, weight.rank == 4,
      bias.map({ $0.constant != nil && $0.rank == 1 && $0.count == weight.dimensions[0] }) ?? true
    else {
      throw refusal(
        node, "is not a convolution of images with constant weights",
        expected: "[n, C, H, W] and a constant [out, C, kh, kw]",
        got: "\(x.dimensions) and \(weight.dimensions)")
    }
    let kernel = weight.dimensions[2]
    let strides = node.integers("strides") ?? [1, 1]
    let group = node.integer("group") ?? 1
    let dilations = node.integers("dilations") ?? [1, 1]
    var padding = node.integers("pads") ?? [0, 0, 0, 0]
    let automatic = node.string("auto_pad") ?? "NOTSET"
    if automatic.hasPrefix("SAME"), strides.allSatisfy({ $0 == 1 }), kernel % 2 == 1 {
      padding = [Int](repeating: kernel / 2, count: 4)
    }
    guard group == 1, weight.dimensions[1] == x.dimensions[1], dilations.allSatisfy({ $0 == 1 }),
      weight.dimensions[3] == kernel, strides.count == 2, strides[0] == strides[1],
      strides[0] > 0, padding.count == 4, padding.allSatisfy({ $0 == padding[0] }),
      (0..<kernel).contains(padding[0]),
      automatic == "NOTSET" || automatic == "VALID" || automatic.hasPrefix("SAME")
    else {
      throw refusal(
        node, "is a convolution of a kind that CLIP does not have",
        expected: "square, dense, undilated, with equal strides and padding",
        got: "kernel \(weight.dimensions), strides \(strides), pads \(padding), groups \(group), "
          + "dilations \(dilations), auto_pad \(automatic)",
        remedy: group > 1 ? "ConvNeXt and other depthwise towers are not supported" : nil)
    }
    let size = x.dimensions[2] + 2 * padding[0] - kernel
    guard size >= 0, x.dimensions[2] == x.dimensions[3] else {
      throw refusal(
        node, "has a kernel larger than its image", expected: "at most \(x.dimensions)",
        got: "\(kernel)", code: .format)
    }
    let extent = size / strides[0] + 1
    let layout = x.layout
      .replacing(1, with: [StrideFactor(label: .feature, stride: 1, extent: weight.dimensions[0])])
      .replacing(2, with: [StrideFactor(label: .row, stride: 1, extent: extent)])
      .replacing(3, with: [StrideFactor(label: .column, stride: 1, extent: extent)])
    let convolution = ConvolutionNode(
      input: x, weight: weight, bias: bias, stride: strides[0], padding: padding[0])
    return add(
      .convolution(convolution), layout, type: x.type, node: node.index, operands: [x])
  }

  func batchNormalization(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let x = try operand(node, 0)
    var parameters: [GraphValue] = []
    for position in 1...4 {
      let value = try operand(node, position)
      guard value.constant != nil, value.rank == 1, x.rank >= 2, value.count == x.dimensions[1]
      else {
        throw refusal(
          node, "has statistics of the wrong shape", expected: "constants [\(x.dimensions)[1]]",
          got: "\(value.dimensions)")
      }
      parameters.append(value)
    }
    guard (node.integer("training_mode") ?? 0) == 0 else {
      throw refusal(
        node, "uses batch statistics", expected: "inference form (training_mode 0)",
        got: "training_mode 1", remedy: "call model.eval() before exporting")
    }
    let norm = BatchNormNode(
      input: x, weight: parameters[0], bias: parameters[1], mean: parameters[2],
      variance: parameters[3], epsilon: node.float("epsilon") ?? 1e-5)
    return add(.batchNorm(norm), x.layout, type: x.type, node: node.index, operands: [x])
  }

  func layerNormalization(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let x = try operand(node, 0)
    let axis = try axis(node.integer("axis") ?? -1, rank: x.rank, node)
    guard axis == x.rank - 1 else {
      throw refusal(
        node, "normalises several axes", expected: "the last axis", got: "axis \(axis)")
    }
    return try layerNorm(
      x, weight: try operand(node, 1), bias: optionalOperand(node, 2),
      epsilon: node.float("epsilon") ?? 1e-5, node)
  }

  func layerNorm(
    _ x: GraphValue, weight: GraphValue, bias: GraphValue?, epsilon: Float, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    for value in [weight] + (bias.map { [$0] } ?? []) {
      guard value.constant != nil, value.count == x.dimensions.last else {
        throw refusal(
          node, "has a weight or bias of the wrong shape",
          expected: "a constant [\(x.dimensions.last ?? 0)]", got: "\(value.dimensions)")
      }
    }
    return add(
      .layerNorm(x, weight: weight, bias: bias, epsilon: epsilon), x.layout, type: x.type,
      node: node.index, operands: [x])
  }

  func averagePool(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let x = try operand(node, 0)
    let kernel = node.integers("kernel_shape") ?? []
    let strides = node.integers("strides") ?? [Int](repeating: 1, count: kernel.count)
    guard x.layout.isImage, kernel.count == 2, kernel[0] == kernel[1], kernel[0] > 0,
      kernel == strides,
      (node.integers("pads") ?? []).allSatisfy({ $0 == 0 }),
      x.dimensions[2] == x.dimensions[3], x.dimensions[2] % kernel[0] == 0
    else {
      throw refusal(
        node, "pools in a way that CLIP does not",
        expected: "images [n, C, H, W], equal kernel and stride, no padding",
        got: "kernel \(kernel), strides \(strides), pads \(node.integers("pads") ?? [])")
    }
    if kernel[0] == 1 { return x }
    let extent = x.dimensions[2] / kernel[0]
    let layout = x.layout
      .replacing(2, with: [StrideFactor(label: .row, stride: 1, extent: extent)])
      .replacing(3, with: [StrideFactor(label: .column, stride: 1, extent: extent)])
    return add(
      .averagePool(x, kernel: kernel[0]), layout, type: x.type, node: node.index, operands: [x])
  }

  func softmax(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let x = try operand(node, 0)
    let axis = try axis(
      node.integer("axis") ?? (model.opset < 13 ? 1 : -1), rank: x.rank, node)
    // Before operator set 13, all axes from the given one on were one.
    guard axis == x.rank - 1 || (model.opset >= 13 && axis < x.rank), x.constant == nil else {
      throw refusal(
        node, "does not act on one axis of a computed tensor", expected: "axis \(x.rank - 1)",
        got: "axis \(axis)")
    }
    let moved = x.with(x.layout.swapping(axis, x.rank - 1))
    let result = add(.softmax(moved), moved.layout, type: x.type, node: node.index, operands: [x])
    return result.with(result.layout.swapping(axis, x.rank - 1))
  }

  func globalAveragePool(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let value = try operand(node, 0)
    return reduction(.mean, value, axes: Array(2..<max(2, value.rank)), keeps: true, node)
  }

  /// `LpNormalization`, written as a division by the norm.
  func unitNormalization(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let x = try operand(node, 0)
    let axis = try axis(node.integer("axis") ?? -1, rank: x.rank, node)
    guard (node.integer("p") ?? 2) == 2, x.constant == nil else { throw unknown(node) }
    let norm = reduction(.euclideanNorm, x, axes: [axis], keeps: true, node)
    return try binary(.divide, x, norm, node)
  }

  func argMax(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let x = try operand(node, 0)
    let axis = try axis(node.integer("axis") ?? 0, rank: x.rank, node)
    guard axis == x.rank - 1, (node.integer("select_last_index") ?? 0) == 0, x.constant == nil
    else {
      throw refusal(
        node, "does not find the first highest number of each row",
        expected: "axis \(x.rank - 1) and select_last_index 0",
        got: "axis \(axis), select_last_index \(node.integer("select_last_index") ?? 0)")
    }
    let layout =
      node.integer("keepdims") == 0
      ? x.layout.removing(at: axis) : x.layout.replacing(axis, with: [])
    return add(.argMax(x), layout, type: .i64, node: node.index, operands: [x])
  }

  func gatherND(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let data = try operand(node, 0)
    let indices = try operand(node, 1)
    if data.constant != nil, indices.constant != nil {
      return try evaluateGatherND(
        try numbers(data, node), try numbers(indices, node), data.type, node)
    }
    if node.integer("batch_dims") == 1 { return try batchedGatherND(data, indices, node) }
    guard data.constant == nil, indices.rank == 2, let depth = indices.dimensions.last,
      depth < data.rank, (node.integer("batch_dims") ?? 0) == 0
    else { throw unknown(node) }
    let axes = [indices.layout.axes[0]] + data.layout.axes[depth...]
    return add(
      .gatherND(data, indices: indices), TensorLayout(axes: axes, offsets: data.layout.offsets),
      type: data.type, node: node.index, operands: [data, indices])
  }

  /// One token of each row: data [n, tokens, width], indices [n, 1].
  private func batchedGatherND(
    _ data: GraphValue, _ indices: GraphValue, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    guard data.rank == 3, indices.rank == 2, indices.dimensions[1] == 1,
      data.layout.axes[0] == indices.layout.axes[0]
    else { throw unknown(node) }
    let rows = constant(Numbers(Array(0..<data.dimensions[0]), [data.dimensions[0], 1]), .i64)
    let pairs = add(
      .concatenation([rows, indices], axis: 1),
      indices.layout.replacing(1, with: [StrideFactor(label: .other, stride: 1, extent: 2)]),
      type: .i64, node: node.index, operands: [indices])
    return add(
      .gatherND(data, indices: pairs), data.layout.removing(at: 1), type: data.type,
      node: node.index, operands: [data, pairs])
  }
}
