internal import CleanCLIPFiles

/// Operators that move data without computing with it: they change layouts only.
extension GraphReader {
  static let movementOperators = [
    GraphOperator("Identity") { (reader, node) throws(CLIPError) in
      try reader.operand(node, 0)
    },
    GraphOperator("Dropout") { (reader, node) throws(CLIPError) in
      try reader.operand(node, 0)
    },
    GraphOperator("Reshape") { (reader, node) throws(CLIPError) in
      try reader.reshape(node)
    },
    GraphOperator("Flatten") { (reader, node) throws(CLIPError) in
      try reader.flatten(node)
    },
    GraphOperator("Transpose") { (reader, node) throws(CLIPError) in
      try reader.transpose(node)
    },
    GraphOperator("Squeeze") { (reader, node) throws(CLIPError) in
      try reader.squeeze(node)
    },
    GraphOperator("Unsqueeze") { (reader, node) throws(CLIPError) in
      try reader.unsqueeze(node)
    },
  ]

  /// Reads the operand `position` and notes where a constant was read.
  func operand(_ node: ONNXNode, _ position: Int) throws(CLIPError) -> GraphValue {
    guard let value = optionalOperand(node, position) else {
      throw refusal(
        node, "has too few operands", expected: "operand \(position + 1)", got: "none",
        code: .format)
    }
    return value
  }

  /// Reads the operand `position`; `nil` when it is left out.
  func optionalOperand(_ node: ONNXNode, _ position: Int) -> GraphValue? {
    guard position < node.inputs.count, !node.inputs[position].isEmpty,
      var value = values[node.inputs[position]]
    else { return nil }
    if value.constant != nil { value.path.append(InputSite(node: node.index, input: position)) }
    return value
  }

  /// Integers of an attribute or, in later operator sets, of an operand; `nil` when left out.
  func integers(
    _ node: ONNXNode, attribute: String, operand position: Int
  ) throws(CLIPError) -> [Int]? {
    if let values = node.integers(attribute) { return values }
    if let value = node.integer(attribute) { return [value] }
    guard let value = optionalOperand(node, position) else { return nil }
    return try numbers(value, node).integers
  }

  /// Axis numbers counted from the front, each one inside the rank.
  func axis(_ axis: Int, rank: Int, _ node: ONNXNode) throws(CLIPError) -> Int {
    let result = axis < 0 ? axis &+ rank : axis
    guard (0..<rank).contains(result) else {
      throw refusal(
        node, "has an axis outside its operand", expected: "\(-rank) to \(rank - 1)",
        got: "\(axis)", code: .format)
    }
    return result
  }

  func reshape(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let value = try operand(node, 0)
    guard let target = try integers(node, attribute: "shape", operand: 1) else {
      throw refusal(node, "has no shape", expected: "a second operand", got: "none", code: .format)
    }
    let source = value.dimensions
    var dimensions = target
    let allowsZero = node.integer("allowzero") == 1
    for (index, dimension) in target.enumerated() where dimension == 0 && !allowsZero {
      guard index < source.count else {
        throw refusal(
          node, "copies a size that its operand lacks", expected: "rank above \(index)",
          got: "\(source)", code: .format)
      }
      dimensions[index] = source[index]
    }
    if let free = dimensions.firstIndex(of: -1) {
      let known = dimensions.enumerated().filter { $0.offset != free }.map(\.element)
      let product = ElementType.elementCount(known) ?? 0
      dimensions[free] = product > 0 ? value.count / product : 0
    }
    return try reshape(value, to: dimensions, node)
  }

  func reshape(
    _ value: GraphValue, to dimensions: [Int], _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    guard dimensions.count <= Self.maximumRank,
      ElementType.elementCount(dimensions) == value.count
    else {
      throw refusal(
        node, "changes the number of elements",
        expected: "\(value.count) of shape "
          + "\(value.dimensions)", got: "shape \(dimensions)", code: .format)
    }
    if value.count == 0, value.constant != nil {
      return constant(Numbers([Int](), dimensions), value.type)
    }
    if let layout = value.layout.reshaped(to: dimensions) { return value.with(layout) }
    guard value.constant != nil, value.count <= Self.maximumEvaluatedCount else {
      throw refusal(
        node, "mixes axes",
        expected: "a shape that splits or joins whole axes of "
          + "\(value.dimensions)", got: "\(dimensions)")
    }
    var numbers = try numbers(value, node)
    numbers.dimensions = dimensions
    return constant(numbers, value.type)
  }

  func flatten(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let value = try operand(node, 0)
    let rank = value.rank
    let given = node.integer("axis") ?? 1
    let axis = given == rank ? rank : try axis(given, rank: rank, node)
    let dimensions = value.dimensions
    // Products of sizes that were checked as a whole do not overflow.
    return try reshape(
      value, to: [dimensions[..<axis].reduce(1, *), dimensions[axis...].reduce(1, *)], node)
  }

  func transpose(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let value = try operand(node, 0)
    let order = node.integers("perm") ?? Array((0..<value.rank).reversed())
    guard order.sorted() == Array(0..<value.rank) else {
      throw refusal(
        node, "has a wrong order of axes", expected: "a permutation of \(value.rank) axes",
        got: "\(order)", code: .format)
    }
    return value.with(value.layout.transposed(order))
  }

  func squeeze(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let value = try operand(node, 0)
    var layout = value.layout
    let dimensions = value.dimensions
    var axes = dimensions.indices.filter { dimensions[$0] == 1 }
    if let given = try integers(node, attribute: "axes", operand: 1) {
      axes = []
      for entry in given { axes.append(try axis(entry, rank: value.rank, node)) }
    }
    for axis in Set(axes).sorted(by: >) {
      guard dimensions[axis] == 1 else {
        throw refusal(
          node, "drops an axis that is not 1", expected: "size 1 at axis \(axis)",
          got: "\(dimensions)", code: .format)
      }
      layout = layout.removing(at: axis)
    }
    return value.with(layout)
  }

  func unsqueeze(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let value = try operand(node, 0)
    guard let given = try integers(node, attribute: "axes", operand: 1) else {
      throw refusal(node, "has no axes", expected: "axes", got: "none", code: .format)
    }
    let rank = value.rank + given.count
    var axes: [Int] = []
    for entry in given { axes.append(try axis(entry, rank: rank, node)) }
    guard Set(axes).count == axes.count, rank <= Self.maximumRank else {
      throw refusal(node, "names an axis twice", expected: "axes", got: "\(axes)", code: .format)
    }
    var layout = value.layout
    for axis in axes.sorted() { layout = layout.inserting(at: axis) }
    return value.with(layout)
  }
}
