internal import CleanCLIPFiles

/// Sequences of tensors, which exporters write where a tensor is cut in pieces.
extension GraphReader {
  static let sequenceOperators = [
    GraphOperator(
      "SplitToSequence",
      results: { (reader, node) throws(CLIPError) in
        try reader.splitToSequence(node)
        return []
      }),
    GraphOperator("SequenceAt") { (reader, node) throws(CLIPError) in
      try reader.sequenceElement(node)
    },
  ]

  /// Cuts a tensor along an axis into a sequence for `SequenceAt`.
  func splitToSequence(_ node: ONNXNode) throws(CLIPError) {
    let value = try operand(node, 0)
    let axis = try axis(node.integer("axis") ?? 0, rank: value.rank, node)
    let size = value.dimensions[axis]
    var lengths: [Int]?
    if let given = optionalOperand(node, 1) {
      lengths = try numbers(given, node).integers
      if given.rank == 0, let length = lengths?.first, length > 0 {
        let parts = (size - 1) / length + 1
        lengths =
          parts > Self.maximumParts ? [] : (0..<parts).map { min(length, size - $0 * length) }
      }
    }
    var parts = try self.parts(
      of: value, axis: axis, lengths ?? [Int](repeating: 1, count: min(size, Self.maximumParts)),
      node)
    if lengths == nil, node.integer("keepdims") == 0 {
      parts = parts.map { $0.with($0.layout.removing(at: axis)) }
    }
    if let output = node.outputs.first { sequences[output] = parts }
  }

  func sequenceElement(_ node: ONNXNode) throws(CLIPError) -> GraphValue {
    let places = try numbers(try operand(node, 1), node).integers
    guard let name = node.inputs.first, let sequence = sequences[name], let place = places.first,
      case let index = place < 0 ? place &+ sequence.count : place, sequence.indices.contains(index)
    else {
      throw refusal(
        node, "reads no element of a sequence", expected: "a place in a sequence of this graph",
        got: "\(places.prefix(1))", code: .format)
    }
    return sequence[index]
  }
}
