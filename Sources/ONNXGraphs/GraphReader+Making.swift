internal import CleanCLIPFiles

/// Operators that make or evaluate constants, and those that change element types.
extension GraphReader {
  static let makingOperators = [
    GraphOperator("Cast") { (reader, node) throws(CLIPError) in
      try reader.cast(node)
    },
    GraphOperator("CastLike") { (reader, node) throws(CLIPError) in
      try reader.castLike(node)
    },
    GraphOperator("Constant") { (reader, node) throws(CLIPError) in
      try reader.makeConstant(node)
    },
    GraphOperator("ConstantOfShape") { (reader, node) throws(CLIPError) in
      try reader.constantOfShape(node)
    },
    GraphOperator("Shape") { (reader, node) throws(CLIPError) in
      try reader.shape(node)
    },
    GraphOperator("Size") { (reader, node) throws(CLIPError) in
      try reader.size(node)
    },
    GraphOperator("Range") { (reader, node) throws(CLIPError) in
      try reader.range(node)
    },
    GraphOperator("Trilu") { (reader, node) throws(CLIPError) in
      try reader.lowerOrUpperTriangle(node)
    },
  ]

  func makeConstant(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    switch (node.attributes["value"], node.attributes) {
    case (.tensor(let index)?, _): return tensorValue(index)
    case (_, let attributes):
      if case .integer(let value)? = attributes["value_int"] {
        return constant(Numbers([value], []), .i64)
      }
      if case .float(let value, _)? = attributes["value_float"] {
        return constant(Numbers([Double(value)], []), .f32)
      }
      if case .integers(let values)? = attributes["value_ints"] {
        return constant(Numbers(values), .i64)
      }
      if case .floats(let values)? = attributes["value_floats"] {
        return constant(Numbers(values.map { Double($0) }, [values.count]), .f32)
      }
      throw refusal(
        node, "has no value that CLIP graphs have", expected: "a tensor or numbers", got: "none")
    }
  }

  func constantOfShape(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let shape = try numbers(try operand(node, 0), node).integers
    var value = constant(Numbers([Double(0)], [1]), .f32)
    if case .tensor(let index)? = node.attributes["value"] { value = tensorValue(index) }
    guard value.count == 1, let count = ElementType.elementCount(shape), count < 1 << 40,
      let scalar = value.layout.reshaped(to: [])
    else {
      throw refusal(
        node, "has a wrong shape", expected: "possible sizes", got: "\(shape)", code: .format)
    }
    if count == 0 { return constant(Numbers([Int](), shape), value.type) }
    guard let layout = scalar.expanded(to: shape, label: .element) else { throw unknown(node) }
    return value.with(layout)
  }

  func shape(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let dimensions = try operand(node, 0).dimensions
    let rank = dimensions.count
    let start = node.integer("start") ?? 0
    let end = node.integer("end") ?? rank
    let first = min(max(start < 0 ? start &+ rank : start, 0), rank)
    let last = min(max(end < 0 ? end &+ rank : end, 0), rank)
    return constant(Numbers(first < last ? Array(dimensions[first..<last]) : []), .i64)
  }

  func size(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    constant(Numbers([try operand(node, 0).count], []), .i64)
  }

  func cast(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    guard let type = ElementType(onnx: node.integer("to") ?? 0) else {
      throw refusal(
        node, "converts to an unknown element type", expected: "a float or integer type",
        got: "data type \(node.integer("to") ?? 0)")
    }
    return try converted(try operand(node, 0), to: type, node)
  }

  func castLike(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    try converted(try operand(node, 0), to: try operand(node, 1).type, node)
  }

  private func converted(
    _ value: GraphValue, to target: ElementType, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    var value = value
    if value.constant != nil, value.type.isFloat != target.isFloat || target == .bool {
      let source = try numbers(value, node)
      let converted =
        target.isFloat
        ? Numbers(source.floats, source.dimensions)
        : target == .bool
          ? Numbers(source.floats.map { $0 != 0 ? 1 : 0 }, source.dimensions)
          : Numbers(source.integers, source.dimensions)
      return constant(converted, target)
    }
    guard value.constant != nil || Self.keepsValues(value.type, target) else {
      throw refusal(
        node, "rounds or cuts computed numbers", expected: "a conversion that keeps values",
        got: "\(value.type.rawValue) to \(target.rawValue)")
    }
    value.type = target
    return value
  }

  /// Whether numbers stay what they are, but for the precision of floating point.
  private static func keepsValues(_ source: ElementType, _ target: ElementType) -> Bool {
    if source.isFloat { return target.isFloat }
    return source == .bool || source == target || [.i32, .i64, .f32, .f64].contains(target)
  }

  func range(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    var bounds: [Numbers] = []
    for position in 0..<3 { bounds.append(try numbers(try operand(node, position), node)) }
    let type = try operand(node, 0).type
    guard let start = bounds[0].floats.first, let limit = bounds[1].floats.first,
      let delta = bounds[2].floats.first, delta != 0, abs(start) < 0x1p53, abs(limit) < 0x1p53,
      ((limit - start) / delta) <= Double(Self.maximumEvaluatedCount)
    else {
      throw refusal(
        node, "has wrong bounds", expected: "at most \(Self.maximumEvaluatedCount) numbers",
        got: "\(bounds.map { $0.floats.first ?? .nan })", code: .format)
    }
    let count = Int(max(0, (limit - start) / delta).rounded(.up))
    let values = (0..<count).map { start + Double($0) * delta }
    return bounds.allSatisfy(\.isInteger)
      ? constant(Numbers(values.map { Int($0) }, [count]), type)
      : constant(Numbers(values, [count]), type)
  }

  func lowerOrUpperTriangle(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let value = try operand(node, 0)
    let offset =
      try optionalOperand(node, 1).map { value throws(CLIPError) in
        try numbers(value, node).integers.first ?? 0
      } ?? 0
    let isUpper = node.integer("upper") != 0
    let source = try numbers(value, node)
    guard source.dimensions.count >= 2 else { throw unknown(node) }
    let columns = source.dimensions[source.dimensions.count - 1]
    let rows = source.dimensions[source.dimensions.count - 2]
    let keeps = { (index: Int) -> Bool in
      let distance = index % columns - index / columns % rows
      return isUpper ? distance >= offset : distance <= offset
    }
    switch source.values {
    case .integers(let values):
      return constant(
        Numbers(values.indices.map { keeps($0) ? values[$0] : 0 }, source.dimensions), value.type)
    case .floats(let values):
      return constant(
        Numbers(values.indices.map { keeps($0) ? values[$0] : 0 }, source.dimensions), value.type)
    }
  }

  /// `GatherND` on constants, which mask construction uses.
  func evaluateGatherND(
    _ data: Numbers, _ indices: Numbers, _ type: ElementType, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    guard let depth = indices.dimensions.last, depth > 0, depth <= data.dimensions.count,
      (node.integer("batch_dims") ?? 0) == 0
    else { throw unknown(node) }
    let rows = indices.integers
    let inner = data.dimensions[depth...].reduce(1, *)
    guard
      (ElementType.elementCount([rows.count / depth, inner]) ?? .max) <= Self.maximumEvaluatedCount
    else { throw unknown(node) }
    var order: [Int] = []
    for row in stride(from: 0, to: rows.count, by: depth) {
      var position = 0
      for axis in 0..<depth {
        let size = data.dimensions[axis]
        let place = rows[row + axis] < 0 ? rows[row + axis] &+ size : rows[row + axis]
        guard (0..<size).contains(place) else {
          throw refusal(
            node, "reads outside its operand", expected: "indices below \(size)", got: "\(place)",
            code: .format)
        }
        position = position * size + place
      }
      order += (0..<inner).map { position * inner + $0 }
    }
    let dimensions = indices.dimensions.dropLast() + data.dimensions[depth...]
    switch data.values {
    case .integers(let values):
      return constant(Numbers(order.map { values[$0] }, Array(dimensions)), type)
    case .floats(let values):
      return constant(Numbers(order.map { values[$0] }, Array(dimensions)), type)
    }
  }
}
