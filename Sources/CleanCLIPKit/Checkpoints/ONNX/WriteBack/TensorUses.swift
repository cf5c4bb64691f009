internal import ONNXGraphs

/// Where the graph reads the tensors of a file, followed through nodes that only move them.
struct TensorUses {
  /// A reader of a value: a node's input, or an output of the graph.
  struct Use {
    /// `nil` for an output of the graph.
    let site: InputSite?
    /// The way from the tensor to here, this place included.
    let path: [InputSite]
    /// Readers of the same elements behind the node; empty where they are computed with.
    let further: [Use]

    /// The places where the elements are computed with or leave the graph.
    var ends: [Use] { further.isEmpty ? [self] : further.flatMap(\.ends) }
  }

  private let origin: ONNXImport
  private var readers: [String: [InputSite]] = [:]
  private let outputs: Set<String>

  init(_ origin: ONNXImport) {
    self.origin = origin
    let model = origin.model
    outputs = Set(model.outputs.map(\.name) + model.graphs.dropFirst().flatMap(\.outputs))
    // Nodes of branches count as readers whether their branch is taken or not.
    let branches = model.nodes.indices.suffix(from: model.graphs[0].nodes.upperBound)
    for index in origin.reader.liveNodes + branches {
      for (input, name) in model.nodes[index].inputs.enumerated() where !name.isEmpty {
        readers[name, default: []].append(InputSite(node: index, input: input))
      }
    }
  }

  /// All readers of a tensor.
  func uses(of tensor: ONNXTensor) -> [Use] {
    let model = origin.model
    var names: [String] = []
    if model.graphs.contains(where: { $0.initializers.contains(tensor.index) }) {
      names = [tensor.name]
    } else {
      for node in model.nodes where node.operation == "Constant" {
        if case .tensor(tensor.index)? = node.attributes["value"] { names += node.outputs }
      }
    }
    guard let root = names.first.flatMap({ origin.reader.values[$0]?.constant }) else { return [] }
    var budget = Self.maximumUses
    var result: [Use] = []
    for name in names { result += uses(of: name, root: root, path: [], depth: 0, &budget) }
    return result
  }

  /// The most ways through the graph that are followed for one tensor.
  private static let maximumUses = 1 << 14

  private func uses(
    of name: String, root: Int, path: [InputSite], depth: Int, _ budget: inout Int
  ) -> [Use] {
    var result: [Use] = []
    if outputs.contains(name) { result.append(Use(site: nil, path: path, further: [])) }
    for site in readers[name] ?? [] {
      let node = origin.model.nodes[site.node]
      // Sizes do not change with the values.
      if ["Shape", "Size"].contains(node.operation) { continue }
      let way = path + [site]
      let made = node.outputs.filter { !$0.isEmpty }
      budget -= 1
      let passed = depth < 64 && budget > 0 ? made.filter { holds(root, $0) } : []
      // A node may take other parts out of concatenated constants.
      if passed.isEmpty, made.allSatisfy(isMoved) { continue }
      var further: [Use] = []
      for output in passed {
        further += uses(of: output, root: root, path: way, depth: depth + 1, &budget)
      }
      result.append(Use(site: site, path: way, further: further))
    }
    return result
  }

  /// Whether a node's output has elements of the constant `root`.
  private func holds(_ root: Int, _ output: String) -> Bool {
    guard let target = origin.reader.values[output]?.constant else { return false }
    return contains(target, root)
  }

  /// Whether a node's output consists of elements of the file.
  private func isMoved(_ output: String) -> Bool {
    guard let constant = origin.reader.values[output]?.constant else { return false }
    if case .numbers = origin.reader.constants[constant].content { return false }
    return true
  }

  private func contains(_ constant: Int, _ root: Int) -> Bool {
    if constant == root { return true }
    guard case .concatenation(let parts, _) = origin.reader.constants[constant].content else {
      return false
    }
    return parts.contains { part in part.constant.map { contains($0, root) } ?? false }
  }
}
