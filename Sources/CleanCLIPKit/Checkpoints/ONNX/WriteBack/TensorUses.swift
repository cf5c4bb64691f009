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
    return names.flatMap { uses(of: $0, path: [], depth: 0) }
  }

  private func uses(of name: String, path: [InputSite], depth: Int) -> [Use] {
    var result: [Use] = []
    if outputs.contains(name) { result.append(Use(site: nil, path: path, further: [])) }
    for site in readers[name] ?? [] {
      let node = origin.model.nodes[site.node]
      // Sizes do not change with the values.
      if ["Shape", "Size"].contains(node.operation) { continue }
      let way = path + [site]
      let passed = depth < 64 ? node.outputs.filter { holds(name, $0) } : []
      result.append(
        Use(
          site: site, path: way,
          further: passed.flatMap { uses(of: $0, path: way, depth: depth + 1) }))
    }
    return result
  }

  /// Whether a node's output consists of elements of the constant that it reads.
  private func holds(_ input: String, _ output: String) -> Bool {
    guard let source = origin.reader.values[input]?.constant,
      let target = origin.reader.values[output]?.constant
    else { return false }
    if source == target { return true }
    if case .concatenation(let parts, _) = origin.reader.constants[target].content {
      return parts.contains { $0.constant == source }
    }
    return false
  }
}
