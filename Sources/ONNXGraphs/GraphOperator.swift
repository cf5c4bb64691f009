internal import CleanCLIPFiles

/// An ONNX operator that the reader knows, and what it does with a node of it.
struct GraphOperator: Sendable {
  /// Whose operators they are; "" in files for the standard ones.
  enum Domain: String, Sendable {
    case standard = ""
    case microsoft = "com.microsoft"
  }

  typealias Evaluate = @Sendable (GraphReader, ONNXNode) throws(CLIPError) -> [GraphValue]

  let domain: Domain
  let name: String
  let evaluate: Evaluate

  /// An operator with one result.
  init(
    _ name: String, _ domain: Domain = .standard,
    _ evaluate: @escaping @Sendable (GraphReader, ONNXNode) throws(CLIPError) -> GraphValue
  ) {
    self.init(
      name, domain,
      results: { (reader, node) throws(CLIPError) in
        [try evaluate(reader, node)]
      })
  }

  /// An operator with any number of results.
  init(_ name: String, _ domain: Domain = .standard, results evaluate: @escaping Evaluate) {
    self.domain = domain
    self.name = name
    self.evaluate = evaluate
  }
}

extension GraphReader {
  /// Every operator that the reader knows, by domain and name; each file of handlers has a list.
  private static let operators: [String: [String: GraphOperator]] = {
    let all = [
      makingOperators, movementOperators, branchOperators, selectionOperators, sequenceOperators,
      elementwiseOperators, productOperators, computationOperators, reductionOperators,
      fusedOperators,
    ].joined()
    return Dictionary(grouping: all, by: \.domain.rawValue).mapValues { operators in
      Dictionary(uniqueKeysWithValues: operators.map { ($0.name, $0) })
    }
  }()

  /// Evaluates one node and defines its outputs.
  func evaluate(_ node: ONNXNode) throws(CLIPError) {
    guard let domain = Self.operators[node.domain] else {
      throw refusal(
        node, "uses an operator of an unknown domain",
        expected: "the standard operators or com.microsoft", got: node.qualifiedOperation,
        remedy: node.domain == "com.microsoft.nchwc"
          ? "the file was optimised for one machine: give the model before optimisation"
          : "export the model with standard operators only")
    }
    guard let known = domain[node.operation] else { throw unknown(node) }
    for (name, value) in zip(node.outputs, try known.evaluate(self, node)) where !name.isEmpty {
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
}
