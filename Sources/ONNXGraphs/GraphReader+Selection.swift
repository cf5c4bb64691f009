internal import CleanCLIPFiles

/// Operators that take parts of data, repeat them, or put them together.
extension GraphReader {
  static let selectionOperators = [
    GraphOperator(
      "Split",
      results: { (reader, node) throws(CLIPError) in
        try reader.split(node)
      }),
    GraphOperator("Slice") { (reader, node) throws(CLIPError) in
      try reader.slice(node)
    },
    GraphOperator("Gather") { (reader, node) throws(CLIPError) in
      try reader.gather(node)
    },
    GraphOperator("Expand") { (reader, node) throws(CLIPError) in
      try reader.expand(node)
    },
    GraphOperator("Tile") { (reader, node) throws(CLIPError) in
      try reader.tile(node)
    },
    GraphOperator("Concat") { (reader, node) throws(CLIPError) in
      try reader.concatenate(node)
    },
  ]

  func slice(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    var value = try operand(node, 0)
    guard let starts = try integers(node, attribute: "starts", operand: 1),
      let ends = try integers(node, attribute: "ends", operand: 2)
    else {
      throw refusal(node, "has no bounds", expected: "starts and ends", got: "none", code: .format)
    }
    let axes = try integers(node, attribute: "axes", operand: 3) ?? Array(starts.indices)
    let steps =
      try integers(node, attribute: "steps", operand: 4)
      ?? [Int](repeating: 1, count: starts.count)
    guard starts.count == ends.count, starts.count == axes.count, starts.count == steps.count
    else {
      throw refusal(
        node, "has bounds of different lengths", expected: "one of each for each axis",
        got: "\(starts.count), \(ends.count), \(axes.count), \(steps.count)", code: .format)
    }
    for index in starts.indices {
      let axis = try axis(axes[index], rank: value.rank, node)
      value = try slice(
        value, axis: axis, start: starts[index], end: ends[index], step: steps[index], node)
    }
    return value
  }

  private func slice(
    _ value: GraphValue, axis: Int, start: Int, end: Int, step: Int, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    let size = value.dimensions[axis]
    let first = min(max(start < 0 ? start &+ size : start, 0), size)
    let last = min(max(end < 0 ? end &+ size : end, 0), size)
    guard step > 0 else {
      guard size <= Self.maximumEvaluatedCount else { throw unknown(node) }
      return try pick(
        value, axis: axis,
        stride(
          from: min(start < 0 ? start &+ size : start, size - 1),
          to: end < -size ? -1 : end < 0 ? end &+ size : end, by: step == 0 ? -1 : step
        ).map { $0 },
        node)
    }
    let count = last > first ? (last - first - 1) / step + 1 : 0
    guard count > 0 else {
      var dimensions = value.dimensions
      dimensions[axis] = 0
      return constant(Numbers([Int](), dimensions), value.type)
    }
    if let part = part(of: value, axis: axis, start: first, count: count, step: step) {
      return part
    }
    if let layout = value.layout.sliced(axis: axis, start: first, count: count, step: step) {
      return value.with(layout)
    }
    guard count <= Self.maximumEvaluatedCount else { throw unknown(node) }
    return try pick(value, axis: axis, (0..<count).map { first + $0 * step }, node)
  }

  /// The constant that a slice of concatenated constants is, when it is one of them.
  private func part(
    of value: GraphValue, axis: Int, start: Int, count: Int, step: Int
  ) -> GraphValue? {
    guard let index = value.constant, step == 1,
      case .concatenation(let parts, let joined) = constants[index].content, joined == axis,
      value.layout == TensorLayout(contiguous: constants[index].dimensions)
    else { return nil }
    var position = 0
    for part in parts {
      let length = part.dimensions[axis]
      if start >= position, start + count <= position + length,
        let layout = part.layout.sliced(axis: axis, start: start - position, count: count)
      {
        var result = part.with(layout)
        result.path += value.path
        return result
      }
      position += length
    }
    return nil
  }

  /// Places of an axis in any order: evaluated for constants, refused for computed tensors.
  private func pick(
    _ value: GraphValue, axis: Int, _ places: [Int], _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    guard value.constant != nil else {
      throw refusal(
        node, "reorders a computed tensor", expected: "a range of axis \(axis)",
        got: "places \(places.prefix(8))")
    }
    let size = value.dimensions[axis]
    guard places.allSatisfy({ (0..<size).contains($0) }) else {
      throw refusal(
        node, "reads outside its operand", expected: "indices below \(size)",
        got: "\(places.first { !(0..<size).contains($0) } ?? 0)", code: .format)
    }
    let source = try numbers(value, node)
    var dimensions = source.dimensions
    if source.count == 0 || places.isEmpty {
      dimensions[axis] = places.count
      return constant(Numbers([Int](), dimensions), value.type)
    }
    let inner = dimensions[(axis + 1)...].reduce(1, *)
    let outer = dimensions[..<axis].reduce(1, *)
    dimensions[axis] = places.count
    guard let count = ElementType.elementCount(dimensions), count <= Self.maximumEvaluatedCount
    else { throw unknown(node) }
    let order = (0..<outer).flatMap { row in
      places.flatMap { place in (0..<inner).map { (row * size + place) * inner + $0 } }
    }
    switch source.values {
    case .integers(let values):
      return constant(Numbers(order.map { values[$0] }, dimensions), value.type)
    case .floats(let values):
      return constant(Numbers(order.map { values[$0] }, dimensions), value.type)
    }
  }

  func split(_ node: ONNXNode) throws(CLIPError) -> [GraphValue] {
    let value = try operand(node, 0)
    let axis = try axis(node.integer("axis") ?? 0, rank: value.rank, node)
    let size = value.dimensions[axis]
    var lengths = try integers(node, attribute: "split", operand: 1) ?? []
    if lengths.isEmpty {
      let parts = min(max(1, node.integer("num_outputs") ?? node.outputs.count), 1 << 16)
      let length = (size + parts - 1) / parts
      lengths = (0..<min(parts, size)).map { min(length, max(0, size - $0 * length)) }
    }
    return try self.parts(of: value, axis: axis, lengths, node)
  }

  static let maximumParts = 1 << 14

  /// Concatenated pieces of an axis.
  func parts(
    of value: GraphValue, axis: Int, _ lengths: [Int], _ node: ONNXNode
  ) throws(CLIPError) -> [GraphValue] {
    let size = value.dimensions[axis]
    guard lengths.allSatisfy({ $0 > 0 && $0 <= size }),
      lengths.count <= min(size, Self.maximumParts),
      lengths.reduce(0, +) == size
    else {
      throw refusal(
        node, "has wrong part sizes", expected: "sizes that add up to \(size)", got: "\(lengths)",
        code: .format)
    }
    var results: [GraphValue] = []
    var start = 0
    for length in lengths {
      results.append(
        try slice(value, axis: axis, start: start, end: start + length, step: 1, node))
      start += length
    }
    return results
  }

  /// `Gather`: a slice for constant indices, a table look-up or a pick for computed ones.
  func gather(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let data = try operand(node, 0)
    let indices = try operand(node, 1)
    let axis = try axis(node.integer("axis") ?? 0, rank: data.rank, node)
    guard indices.constant != nil else {
      return try computedGather(data, indices, axis: axis, node)
    }
    let size = data.dimensions[axis]
    let places = try numbers(indices, node).integers.map { $0 < 0 ? $0 &+ size : $0 }
    guard places.allSatisfy({ (0..<size).contains($0) }) else {
      throw refusal(
        node, "reads outside its operand", expected: "indices below \(size)", got: "others",
        code: .format)
    }
    if indices.rank == 0, let place = places.first,
      let layout = data.layout.sliced(axis: axis, start: place, count: 1)
    {
      return data.with(layout.removing(at: axis))
    }
    let isRange = zip(places, places.dropFirst()).allSatisfy { $1 == $0 + 1 }
    var result: GraphValue
    if isRange, let first = places.first,
      let layout = data.layout.sliced(axis: axis, start: first, count: places.count)
    {
      result = data.with(layout)
    } else {
      result = try pick(data, axis: axis, places, node)
    }
    // The axes of the indices take the place of the axis.
    var dimensions = result.dimensions
    dimensions.replaceSubrange(axis...axis, with: indices.dimensions)
    if indices.rank != 1 { result = try reshape(result, to: dimensions, node) }
    return result
  }

  private func computedGather(
    _ data: GraphValue, _ indices: GraphValue, axis: Int, _ node: ONNXNode
  ) throws(CLIPError) -> GraphValue {
    if data.constant != nil {
      guard data.rank == 2, axis == 0 else {
        throw refusal(
          node, "looks up a table of the wrong shape", expected: "rows of [V, D]",
          got: "axis \(axis) of \(data.dimensions)")
      }
      let width = StrideFactor(label: .feature, stride: 1, extent: data.dimensions[1])
      let layout = indices.layout.inserting(at: indices.rank, [width])
      return add(
        .embedding(indices, table: data), layout, type: data.type, node: node.index,
        operands: [indices])
    }
    var axes = data.layout.axes
    axes.replaceSubrange(axis...axis, with: indices.layout.axes)
    return add(
      .gather(data, indices: indices, axis: axis),
      TensorLayout(axes: axes, offsets: data.layout.offsets), type: data.type, node: node.index,
      operands: [data, indices])
  }

  func expand(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let value = try operand(node, 0)
    let target = try numbers(try operand(node, 1), node).integers
    guard let shape = Self.broadcast(value.dimensions, target),
      let count = ElementType.elementCount(shape), count < 1 << 40, shape.allSatisfy({ $0 > 0 }),
      let layout = value.layout.expanded(
        to: shape, label: value.constant == nil ? .other : .element)
    else {
      throw refusal(
        node, "cannot be broadcast", expected: "sizes that fit \(value.dimensions)",
        got: "\(target)", code: .format)
    }
    return value.with(layout)
  }

  func tile(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let value = try operand(node, 0)
    let repeats = try numbers(try operand(node, 1), node).integers
    let dimensions = value.dimensions
    guard repeats.count == dimensions.count,
      zip(repeats, dimensions).allSatisfy({ $0 >= 1 && $0 < 1 << 20 && ($0 == 1 || $1 == 1) }),
      let layout = value.layout.expanded(
        to: zip(repeats, dimensions).map { $0 * $1 },
        label: value.constant == nil ? .other : .element), layout.count < 1 << 40
    else {
      throw refusal(
        node, "repeats an axis that is not 1", expected: "a broadcast of \(dimensions)",
        got: "repeats \(repeats)")
    }
    return value.with(layout)
  }

  func concatenate(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    var operands: [GraphValue] = []
    for position in node.inputs.indices { operands.append(try operand(node, position)) }
    guard let first = operands.first, first.rank > 0 else {
      throw refusal(node, "joins nothing", expected: "operands", got: "none", code: .format)
    }
    let axis = try axis(node.integer("axis") ?? 0, rank: first.rank, node)
    let fits = operands.allSatisfy { operand in
      operand.rank == first.rank
        && operand.dimensions.indices.allSatisfy {
          $0 == axis || operand.dimensions[$0] == first.dimensions[$0]
        }
    }
    var dimensions = first.dimensions
    // Sizes are below 2^48 each, so that a sum of fewer than 2^14 does not overflow.
    if fits, operands.count < 1 << 14 {
      dimensions[axis] = operands.reduce(0) { $0 + $1.dimensions[axis] }
    }
    guard fits, operands.count < 1 << 14, let count = ElementType.elementCount(dimensions) else {
      throw refusal(
        node, "joins operands that do not fit", expected: "equal sizes but at axis \(axis)",
        got: operands.prefix(8).map { "\($0.dimensions)" }.joined(separator: ", "), code: .format)
    }
    if operands.count == 1 { return first }
    if operands.allSatisfy({ $0.constant != nil }) {
      if !first.type.isFloat, count <= Self.maximumEvaluatedCount {
        var pieces: [Numbers] = []
        for operand in operands { pieces.append(try numbers(operand, node)) }
        return constant(Self.concatenate(pieces, axis: axis), first.type)
      }
      let nesting = 1 + (operands.compactMap(\.constant).map { constants[$0].nesting }.max() ?? 0)
      guard nesting <= 8 else { throw unknown(node) }
      return add(
        ConstantSource(
          content: .concatenation(operands, axis: axis), dimensions: dimensions, derivation: nil,
          nesting: nesting),
        type: first.type)
    }
    return computedConcatenation(operands, axis: axis, dimensions, node)
  }

  private func computedConcatenation(
    _ operands: [GraphValue], axis: Int, _ dimensions: [Int], _ node: ONNXNode
  ) -> GraphValue {
    let computed = operands.filter { $0.expression != nil }
    let model = computed.first { $0.dimensions[axis] > 1 } ?? computed[0]
    let labels = Set(computed.flatMap { $0.layout.axes[axis].map(\.label) })
    let hasFeatures = model.layout.axes.enumerated().contains { index, factors in
      index != axis && factors.contains { $0.label == .feature }
    }
    let label: AxisLabel =
      labels.contains(.feature) ? .feature : hasFeatures ? .token : .other
    var axes = model.layout.axes
    axes[axis] = [StrideFactor(label: label, stride: 1, extent: dimensions[axis])]
    return add(
      .concatenation(operands, axis: axis), TensorLayout(axes: axes), type: model.type,
      node: node.index, operands: operands)
  }
}
