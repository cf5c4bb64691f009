internal import CleanCLIPFiles

/// Elementwise operators.
extension GraphReader {
  static let elementwiseOperators =
    BinaryOperation.allCases.map { operation in
      GraphOperator(operation.rawValue) { (reader, node) throws(CLIPError) in
        switch operation {
        case .maximum, .minimum: try reader.extremum(operation, node)
        default:
          try reader.eitherBinary(
            operation, try reader.operand(node, 0), try reader.operand(node, 1), node)
        }
      }
    }
    + UnaryOperation.allCases.map { operation in
      GraphOperator(operation.rawValue) { (reader, node) throws(CLIPError) in
        try reader.unary(operation, node)
      }
    } + [
      GraphOperator("Sum") { (reader, node) throws(CLIPError) in try reader.sum(node) },
      GraphOperator("Clip") { (reader, node) throws(CLIPError) in try reader.clip(node) },
      GraphOperator("Where") { (reader, node) throws(CLIPError) in try reader.choose(node) },
    ]

  /// An elementwise function of any two tensors.
  private func eitherBinary(
    _ operation: BinaryOperation, _ a: GraphValue, _ b: GraphValue, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    if a.constant != nil, b.constant != nil { return try evaluateBinary(operation, a, b, node) }
    if operation == .less, isBelowPositions(b, a) { return constant(Numbers([0], []), .bool) }
    guard operation.isComputed else { throw unknown(node) }
    return try binary(operation, a, b, node)
  }

  private func sum(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    var result = try operand(node, 0)
    for position in node.inputs.indices.dropFirst() {
      result = try binary(.add, result, try operand(node, position), node)
    }
    return result
  }

  /// An elementwise function of tensors of which one at least is computed.
  func binary(
    _ operation: BinaryOperation, _ a: GraphValue, _ b: GraphValue, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    guard let shape = Self.broadcast(a.dimensions, b.dimensions) else {
      throw refusal(
        node, "has operands that do not fit", expected: "equal or broadcast shapes",
        got: "\(a.dimensions) and \(b.dimensions)", code: .format)
    }
    guard let first = a.layout.expanded(to: shape, label: .other),
      let second = b.layout.expanded(to: shape, label: .other)
    else { throw unknown(node) }
    let isBroadcast = { (axis: [StrideFactor]) in axis.allSatisfy { $0.stride == 0 } }
    var axes: [[StrideFactor]] = []
    for (p, q) in zip(first.axes, second.axes) {
      if b.constant != nil || isBroadcast(q) {
        axes.append(a.constant != nil ? q : p)
      } else if a.constant != nil || isBroadcast(p) {
        axes.append(q)
      } else if p == q {
        axes.append(p)
      } else {
        throw refusal(
          node, "combines axes of different meaning",
          expected: "operands in the same arrangement", got: "\(Self.text(p)) and \(Self.text(q))")
      }
    }
    // A computed operand of size 1 says nothing about an axis along which a constant is longer.
    for position in axes.indices where TensorLayout.extent(axes[position]) != shape[position] {
      axes[position] = [StrideFactor(label: .other, stride: 1, extent: shape[position])]
    }
    var offsets = a.constant == nil ? first.offsets : second.offsets
    if a.constant == nil, b.constant == nil {
      offsets = zip(offsets, second.offsets).map { max($0, $1) }
    }
    return add(
      .binary(operation, a, b), TensorLayout(axes: axes, offsets: offsets),
      type: operation == .equal ? .bool : a.constant == nil ? a.type : b.type, node: node.index,
      operands: [a, b])
  }

  package static func text(_ axis: [StrideFactor]) -> String {
    axis.isEmpty
      ? "1" : axis.map { "\($0.label) \($0.extent) by \($0.stride)" }.joined(separator: " x ")
  }

  /// Whether a bound is below all positions, which exporters compare with it to find negative ones.
  private func isBelowPositions(_ bound: GraphValue, _ positions: GraphValue) -> Bool {
    guard let index = positions.expression, case .argMax = expressions[index].computation,
      let number = uniform(bound)
    else { return false }
    return number <= 0
  }

  private func evaluateBinary(
    _ operation: BinaryOperation, _ a: GraphValue, _ b: GraphValue, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    if let shape = Self.broadcast(a.dimensions, b.dimensions), a.type.isFloat,
      let neutral = operation.neutralOperand
    {
      // Weights pass through functions that change nothing; they must keep their origin.
      for (value, other, isFirst) in [(a, b, true), (b, a, false)]
      where isFirst || operation.isCommutative {
        if other.count <= Self.maximumEvaluatedCount, uniform(other) == neutral,
          let layout = value.layout.expanded(to: shape, label: .element)
        {
          return value.with(layout)
        }
      }
    }
    let result = try evaluate(operation, try numbers(a, node), try numbers(b, node), node)
    return constant(result, operation.isLogical ? .bool : a.type)
  }

  private func extremum(
    _ operation: BinaryOperation, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    var result = try operand(node, 0)
    for position in node.inputs.indices.dropFirst() {
      let other = try operand(node, position)
      if result.constant != nil, other.constant != nil {
        result = constant(
          try evaluate(operation, try numbers(result, node), try numbers(other, node), node),
          result.type)
      } else {
        result = try binary(operation, result, other, node)
      }
    }
    return result
  }

  private func unary(
    _ operation: UnaryOperation, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    let value = try operand(node, 0)
    if value.constant != nil {
      let result = try evaluate(operation, try numbers(value, node), node)
      return constant(
        result, operation == .isNaN ? .bool : value.type,
        derivation: operation == .exp ? .exponential(of: value) : nil)
    }
    guard operation.isComputed else { throw unknown(node) }
    return unary(operation, value, node)
  }

  func unary(_ operation: UnaryOperation, _ value: GraphValue, _ node: ONNXNode) -> GraphValue {
    add(
      .unary(operation, value), value.layout, type: operation == .isNaN ? .bool : value.type,
      node: node.index, operands: [value])
  }

  func activation(_ kind: GraphActivation, _ value: GraphValue, _ node: ONNXNode) -> GraphValue {
    add(
      .activation(kind, value), value.layout, type: value.type, node: node.index,
      operands: [value])
  }

  private func clip(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let value = try operand(node, 0)
    var low = node.float("min").map { Double($0) } ?? -Double.infinity
    var high = node.float("max").map { Double($0) } ?? Double.infinity
    if let bound = optionalOperand(node, 1) { low = try numbers(bound, node).floats.first ?? low }
    if let bound = optionalOperand(node, 2) { high = try numbers(bound, node).floats.first ?? high }
    if value.constant != nil {
      let source = try numbers(value, node)
      return constant(
        Numbers(source.floats.map { min(max($0, low), high) }, source.dimensions), value.type)
    }
    return add(
      .clip(value, low: low, high: high), value.layout, type: value.type, node: node.index,
      operands: [value])
  }

  /// `Where`: evaluated for constants, resolved when the condition is known, else a mask.
  private func choose(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let condition = try operand(node, 0)
    let a = try operand(node, 1)
    let b = try operand(node, 2)
    if condition.constant != nil {
      let flags = try numbers(condition, node)
      if a.constant != nil, b.constant != nil {
        let (x, y) = (try numbers(a, node), try numbers(b, node))
        return constant(try select(flags, x, y, node), a.type)
      }
      let first = flags.integers.first ?? 0
      if flags.integers.allSatisfy({ ($0 != 0) == (first != 0) }) {
        let chosen = first != 0 ? a : b
        if let shape = Self.broadcast(condition.dimensions, chosen.dimensions),
          shape == chosen.dimensions
        {
          return chosen
        }
      }
      // Filling scores with a number far below zero is the same as adding it before the softmax.
      for (filled, filler, isFirst) in [(b, a, true), (a, b, false)] {
        guard filled.constant == nil, let fill = uniform(filler), fill <= -1e4 else { continue }
        let mask = flags.integers.map { ($0 != 0) == isFirst ? -Double.infinity : 0 }
        let value = constant(Numbers(mask, flags.dimensions), filled.type)
        return try binary(.add, filled, value, node)
      }
    } else if let zero = uniform(a), zero == 0, let index = condition.expression,
      case .unary(.isNaN, let tested) = expressions[index].computation, tested.isSame(as: b)
    {
      return b  // Rows of a softmax are NaN only where everything is masked.
    }
    throw refusal(
      node, "chooses between computed tensors", expected: "a known condition",
      got: "one that depends on an input")
  }
}
