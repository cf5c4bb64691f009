internal import CleanCLIPFiles

extension GraphReader {
  /// Evaluates one node and defines its outputs.
  func evaluate(_ node: ONNXNode) throws(CLIPError) {
    let results: [GraphValue]
    switch node.domain {
    case "": results = try evaluateStandard(node)
    case "com.microsoft": results = try evaluateMicrosoft(node)
    default:
      throw refusal(
        node, "uses an operator of an unknown domain",
        expected: "the standard operators or com.microsoft", got: node.qualifiedOperation,
        remedy: node.domain == "com.microsoft.nchwc"
          ? "the file was optimised for one machine: give the model before optimisation"
          : "export the model with standard operators only")
    }
    for (name, value) in zip(node.outputs, results) where !name.isEmpty {
      guard value.count < 1 << 48 else {
        throw refusal(
          node, "makes an impossibly large tensor", expected: "fewer than 2^48 elements",
          got: "shape \(value.dimensions)", code: .format)
      }
      guard value.count > 0 || value.constant != nil else {
        throw refusal(
          node, "computes nothing", expected: "at least one element",
          got: "shape \(value.dimensions)", code: .format)
      }
      values[name] = value
    }
  }

  private func evaluateStandard(_ node: ONNXNode) throws(CLIPError) -> [GraphValue] {
    switch node.operation {
    case "Identity", "Dropout": return [try operand(node, 0)]
    case "If": return try chooseBranch(node)
    case "Cast", "CastLike": return [try cast(node)]
    case "Constant": return [try makeConstant(node)]
    case "ConstantOfShape": return [try constantOfShape(node)]
    case "Shape": return [try shape(node)]
    case "Size": return [constant(Numbers([try operand(node, 0).count], []), .i64)]
    case "Range": return [try range(node)]
    case "Trilu": return [try lowerOrUpperTriangle(node)]
    case "Reshape": return [try reshape(node)]
    case "Flatten": return [try flatten(node)]
    case "Transpose": return [try transpose(node)]
    case "Squeeze": return [try squeeze(node)]
    case "Unsqueeze": return [try unsqueeze(node)]
    case "Slice": return [try slice(node)]
    case "Split": return try split(node)
    case "SplitToSequence":
      try splitToSequence(node)
      return []
    case "SequenceAt": return [try sequenceElement(node)]
    case "Gather": return [try gather(node)]
    case "GatherND": return [try gatherND(node)]
    case "Expand": return [try expand(node)]
    case "Tile": return [try tile(node)]
    case "Concat": return [try concatenate(node)]
    case "Where": return [try choose(node)]
    case "Add", "Sub", "Mul", "Div", "Pow", "Mod", "And", "Or", "Xor", "Equal", "Less",
      "LessOrEqual", "Greater", "GreaterOrEqual":
      return [try binary(node, try operand(node, 0), try operand(node, 1))]
    case "Max", "Min": return [try extremum(node)]
    case "Sum":
      var result = try operand(node, 0)
      for position in node.inputs.indices.dropFirst() {
        result = try binary(.add, result, try operand(node, position), node)
      }
      return [result]
    case "Sqrt", "Exp", "Log", "Erf", "Sigmoid", "Tanh", "Relu", "Reciprocal", "Neg", "Abs",
      "IsNaN", "Not", "Floor", "Ceil", "Round", "Sign":
      return [try unary(node)]
    case "Clip": return [try clip(node)]
    case "Softmax": return [try softmax(node)]
    case "ReduceMean", "ReduceSum", "ReduceL2", "ReduceMax", "ReduceMin", "ReduceProd",
      "ReduceSumSquare":
      return [try reduce(node)]
    case "LpNormalization": return [try unitNormalization(node)]
    case "ArgMax": return [try argMax(node)]
    case "MatMul":
      return [try product(try operand(node, 0), try operand(node, 1), node)]
    case "Gemm": return [try gemm(node)]
    case "Conv": return [try convolution(node)]
    case "BatchNormalization": return [try batchNormalization(node)]
    case "LayerNormalization": return [try layerNormalization(node)]
    case "SimplifiedLayerNormalization", "RMSNormalization":
      return [try rootMeanSquareNormalization(node)]
    case "AveragePool": return [try averagePool(node)]
    case "GlobalAveragePool":
      let value = try operand(node, 0)
      return [reduction(.mean, value, axes: Array(2..<max(2, value.rank)), keeps: true, node)]
    case "Gelu":
      let isTanh = node.string("approximate") == "tanh"
      return [activation(isTanh ? .geluTanh : .gelu, try operand(node, 0), node)]
    case "Attention": return [try standardAttention(node)]
    default: throw unknown(node)
    }
  }

  private func evaluateMicrosoft(_ node: ONNXNode) throws(CLIPError) -> [GraphValue] {
    switch node.operation {
    case "Gelu": return [activation(.gelu, try operand(node, 0), node)]
    case "FastGelu", "BiasGelu":
      var value = try operand(node, 0)
      if let bias = optionalOperand(node, 1) { value = try binary(.add, value, bias, node) }
      return [activation(node.operation == "BiasGelu" ? .gelu : .geluTanh, value, node)]
    case "QuickGelu": return [try quickGELU(node)]
    case "FusedMatMul", "TransposeMatMul": return [try fusedProduct(node)]
    case "FusedGemm": return [try fusedActivation(try gemm(node), node)]
    case "FusedConv": return [try fusedConvolution(node)]
    case "LayerNormalization": return [try layerNormalization(node)]
    case "SimplifiedLayerNormalization": return [try rootMeanSquareNormalization(node)]
    case "SkipLayerNormalization": return try skipLayerNormalization(node)
    case "Attention": return [try packedAttention(node)]
    case "MultiHeadAttention": return [try multiHeadAttention(node)]
    default: throw unknown(node)
    }
  }
}
