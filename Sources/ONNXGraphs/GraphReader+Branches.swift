internal import CleanCLIPFiles

/// Branches of the graph.
extension GraphReader {
  static let branchOperators = [
    GraphOperator(
      "If",
      results: { (reader, node) throws(CLIPError) in
        try reader.chooseBranch(node)
      })
  ]

  /// Evaluates the branch that a known condition chooses.
  private func chooseBranch(_ node: ONNXNode) throws(CLIPError) -> [GraphValue] {
    let condition = try numbers(try operand(node, 0), node).integers.first ?? 0
    guard case .graph(let index)? = node.attributes[condition != 0 ? "then_branch" : "else_branch"]
    else {
      throw refusal(node, "has no branch", expected: "two branches", got: "none", code: .format)
    }
    let graph = model.graphs[index]
    for tensor in model.tensors[graph.initializers] {
      values[tensor.name] = tensorValue(tensor.index)
    }
    for inner in model.nodes[graph.nodes] { try evaluate(inner) }
    var results: [GraphValue] = []
    for output in graph.outputs {
      guard let value = values[output] else {
        throw refusal(
          node, "has a branch without its output", expected: "'\(output)'", got: "none",
          code: .format)
      }
      results.append(value)
    }
    return results
  }
}
