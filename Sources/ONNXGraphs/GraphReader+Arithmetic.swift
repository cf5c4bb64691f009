internal import CleanCLIPFiles

/// Evaluation of operators on constants: shape arithmetic, masks, scalars.
extension GraphReader {
  /// Evaluates an elementwise operator of two constants with broadcasting.
  func evaluate(
    _ operation: BinaryOperation, _ a: Numbers, _ b: Numbers, _ node: ONNXNode
  ) throws(CLIPError) -> Numbers {
    guard let shape = Self.broadcast(a.dimensions, b.dimensions) else {
      throw refusal(
        node, "has operands that do not fit", expected: "equal or broadcast shapes",
        got: "\(a.dimensions) and \(b.dimensions)", code: .format)
    }
    guard let count = ElementType.elementCount(shape), count <= Self.maximumEvaluatedCount else {
      throw refusal(
        node, "makes a large constant", expected: "at most \(Self.maximumEvaluatedCount) elements",
        got: "shape \(shape)")
    }
    let first = Self.indices(a.dimensions, in: shape)
    let second = Self.indices(b.dimensions, in: shape)
    if a.isInteger && b.isInteger, let function = operation.ofIntegers {
      let x = a.integers
      let y = b.integers
      return Numbers((0..<count).map { function(x[first[$0]], y[second[$0]]) }, shape)
    }
    let x = a.floats
    let y = b.floats
    if let function = operation.comparison {
      return Numbers((0..<count).map { function(x[first[$0]], y[second[$0]]) ? 1 : 0 }, shape)
    }
    guard let function = operation.ofFloats else { throw unknown(node) }
    return Numbers((0..<count).map { function(x[first[$0]], y[second[$0]]) }, shape)
  }

  /// Evaluates an elementwise operator of one constant.
  func evaluate(
    _ operation: UnaryOperation, _ a: Numbers, _ node: ONNXNode
  ) throws(CLIPError) -> Numbers {
    if a.isInteger, let function = operation.ofInteger {
      return Numbers(a.integers.map(function), a.dimensions)
    }
    if operation == .isNaN { return Numbers(a.floats.map { $0.isNaN ? 1 : 0 }, a.dimensions) }
    guard let function = operation.ofFloat else { throw unknown(node) }
    return Numbers(a.floats.map(function), a.dimensions)
  }

  /// Evaluates `Where` on constants.
  func select(
    _ condition: Numbers, _ a: Numbers, _ b: Numbers, _ node: ONNXNode
  ) throws(CLIPError) -> Numbers {
    guard let partial = Self.broadcast(a.dimensions, b.dimensions),
      let shape = Self.broadcast(condition.dimensions, partial),
      let count = ElementType.elementCount(shape), count <= Self.maximumEvaluatedCount
    else {
      throw refusal(
        node, "has operands that do not fit", expected: "equal or broadcast shapes",
        got: "\(condition.dimensions), \(a.dimensions) and \(b.dimensions)", code: .format)
    }
    let choice = Self.indices(condition.dimensions, in: shape)
    let first = Self.indices(a.dimensions, in: shape)
    let second = Self.indices(b.dimensions, in: shape)
    let flags = condition.integers
    if a.isInteger && b.isInteger {
      let (x, y) = (a.integers, b.integers)
      return Numbers(
        (0..<count).map { flags[choice[$0]] != 0 ? x[first[$0]] : y[second[$0]] }, shape)
    }
    let (x, y) = (a.floats, b.floats)
    return Numbers(
      (0..<count).map { flags[choice[$0]] != 0 ? x[first[$0]] : y[second[$0]] }, shape)
  }

  /// The broadcast shape; `nil` when the operands do not fit.
  static func broadcast(_ a: [Int], _ b: [Int]) -> [Int]? {
    let rank = max(a.count, b.count)
    let x = [Int](repeating: 1, count: rank - a.count) + a
    let y = [Int](repeating: 1, count: rank - b.count) + b
    var shape: [Int] = []
    for (p, q) in zip(x, y) {
      guard p == q || p == 1 || q == 1 else { return nil }
      shape.append(p == 1 ? q : p)
    }
    return shape
  }

  /// For every element of `shape`, the element of a tensor that is broadcast to it.
  static func indices(_ dimensions: [Int], in shape: [Int]) -> [Int] {
    let layout = TensorLayout(contiguous: dimensions)
    guard let expanded = layout.expanded(to: shape, label: .element) else { return [] }
    return expanded.elementOffsets()
  }

  /// Refuses an operator that the library does not know at this place.
  func unknown(_ node: ONNXNode) -> CLIPError {
    refusal(
      node, "uses an operator that CLIP graphs do not need",
      expected: "an operator of the OpenCLIP, OpenAI or Hugging Face model",
      got: node.qualifiedOperation, remedy: Self.remedy(for: node))
  }

  private static func remedy(for node: ONNXNode) -> String {
    let quantized = [
      "DynamicQuantizeLinear", "MatMulInteger", "QuantizeLinear", "DequantizeLinear",
      "ConvInteger", "DynamicQuantizeMatMul", "MatMulNBits", "QAttention", "QGemm",
      "MatMulIntegerToFloat",
    ]
    if quantized.contains(node.operation) || node.operation.hasPrefix("QLinear") {
      return "the weights are quantised and cannot be trained: give the model before quantisation"
    }
    if node.domain.hasPrefix("com.microsoft.nchwc") || node.operation.hasPrefix("Nhwc") {
      return "the file was optimised for one machine: give the model before optimisation, or "
        + "save it with ORT_ENABLE_EXTENDED at most"
    }
    if ["If", "Loop", "Scan"].contains(node.operation) {
      return "export the model with fixed control flow, or run onnxsim on it"
    }
    return "convert the original checkpoint to safetensors, or export the model with torch.onnx"
  }
}
