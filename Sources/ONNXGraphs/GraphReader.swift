package import CleanCLIPFiles

/// Sizes that a graph leaves free, as the reader assumes them.
package struct AssumedSizes: Sendable {
  /// Numbers that no CLIP graph contains otherwise, so that a baked-in batch is noticed: neither is
  /// a square and one, the tokens of an image.
  package var imageBatch = 11
  package var textBatch = 13
  package var imageSize: Int?
  package var contextLength: Int?
}

/// Reads a graph from its inputs to its outputs by what each operator means.
///
/// Every tensor becomes a computation under a layout: shape arithmetic and masks are evaluated,
/// movement of data changes layouts only, and weights keep their way back to the file. What is left
/// is the same for all exporters; `GraphMatcher` recognises the towers in it.
package final class GraphReader {
  package let model: ONNXModel
  let sizes: AssumedSizes
  package private(set) var expressions: [Expression] = []
  package private(set) var constants: [ConstantSource] = []
  package internal(set) var values: [String: GraphValue] = [:]
  var sequences: [String: [GraphValue]] = [:]
  private var tensorConstants: [Int: Int] = [:]
  private let producers: [String: Int]
  /// Nodes that some output depends on.
  package private(set) var liveNodes: [Int] = []
  /// Elements of constants that were computed with.
  package var evaluatedTotal = 0
  let maximumEvaluatedTotal: Int
  package private(set) var imageInput: String?
  package private(set) var tokensInput: String?

  /// Reads the whole graph.
  ///
  /// - Throws: `format` for graphs that are not well formed; `unsupported` for operators and shapes
  ///   that no CLIP graph has, naming the node.
  package init(_ model: ONNXModel, sizes: AssumedSizes) throws(CLIPError) {
    self.model = model
    self.sizes = sizes
    maximumEvaluatedTotal = Self.maximumEvaluatedTotal(model)
    var producers: [String: Int] = [:]
    for node in model.nodes[model.graphs[0].nodes] {
      for output in node.outputs where !output.isEmpty { producers[output] = node.index }
    }
    self.producers = producers
    for tensor in model.initializers {
      values[tensor.name] = tensorValue(tensor.index)
    }
    try defineInputs()
    for index in try sortedNodes() { try evaluate(model.nodes[index]) }
  }

  // MARK: - Order

  /// Nodes that outputs depend on, operands before users.
  private func sortedNodes() throws(CLIPError) -> [Int] {
    enum State { case open, done }
    var states: [Int: State] = [:]
    var order: [Int] = []
    for output in model.outputs {
      guard let root = producers[output.name] else {
        if values[output.name] == nil {
          throw CLIPError(
            .format, "'\(model.path)': output '\(output.name)' is made by no node; expected a value"
          )
        }
        continue
      }
      var stack = [root]
      while let node = stack.last {
        if states[node] != nil {
          stack.removeLast()
          if states.updateValue(.done, forKey: node) == .open { order.append(node) }
          continue
        }
        states[node] = .open
        for input in reads(model.nodes[node]) where !input.isEmpty {
          guard let producer = producers[input] else {
            if values[input] == nil {
              throw refusal(
                model.nodes[node], "reads '\(input)', which nothing defines",
                expected: "an initializer, an input or another node's output", got: "none",
                code: .format)
            }
            continue
          }
          if states[producer] == .open {
            throw refusal(
              model.nodes[node], "depends on itself", expected: "a graph without cycles",
              got: "a cycle through '\(input)'", code: .format)
          }
          if states[producer] == nil { stack.append(producer) }
        }
      }
    }
    liveNodes = order
    return order
  }

  /// The values that a node reads, those that its branches read from outside included.
  private func reads(_ node: ONNXNode) -> [String] {
    var names = node.inputs
    for case .graph(let index) in node.attributes.values {
      let graph = model.graphs[index]
      var inner = Set(model.tensors[graph.initializers].map(\.name))
      for node in model.nodes[graph.nodes] {
        names += reads(node).filter { !inner.contains($0) }
        inner.formUnion(node.outputs)
      }
      names += graph.outputs.filter { !inner.contains($0) }
    }
    return names
  }

  // MARK: - Inputs

  private func defineInputs() throws(CLIPError) {
    for input in model.inputs where values[input.name] == nil {
      guard let dimensions = input.dimensions else {
        throw CLIPError(
          .unsupported,
          "'\(model.path)': input '\(input.name)' has no shape; expected a tensor with a rank; "
            + "export the model again or run onnx.shape_inference")
      }
      switch dimensions.count {
      case 4: try defineImage(input, dimensions)
      case 2: try defineTokensOrMask(input, dimensions)
      default:
        throw CLIPError(
          .unsupported,
          "'\(model.path)': input '\(input.name)' has shape \(dimensions); expected images "
            + "[n, 3, S, S] or token ids [n, L]")
      }
    }
  }

  private func defineImage(_ input: ONNXValueInfo, _ dimensions: [Int]) throws(CLIPError) {
    guard imageInput == nil else {
      throw CLIPError(
        .unsupported,
        "'\(model.path)': has two image inputs; expected one, got '\(input.name)' as well")
    }
    imageInput = input.name
    let batch = dimensions[0] > 0 ? min(dimensions[0], 1 << 16) : sizes.imageBatch
    let size = sizes.imageSize ?? dimensions[2]
    let isChannelsFirst = dimensions[1] == 3 || dimensions[1] < 0
    guard isChannelsFirst, size > 0, size <= 1 << 14,
      dimensions[2] < 0 || dimensions[2] == size, dimensions[3] < 0 || dimensions[3] == size
    else {
      throw CLIPError(
        .unsupported,
        "'\(model.path)': input '\(input.name)' has shape \(dimensions); expected square images "
          + "[n, 3, S, S]")
    }
    let layout = TensorLayout(axes: [
      [StrideFactor(label: .batch, stride: 1, extent: batch)],
      [StrideFactor(label: .feature, stride: 1, extent: 3)],
      [StrideFactor(label: .row, stride: 1, extent: size)],
      [StrideFactor(label: .column, stride: 1, extent: size)],
    ])
    values[input.name] = add(.image, layout, type: .f32, node: nil, image: true)
  }

  /// Token ids are what an embedding table is looked up with; another two-dimensional input is an
  /// attention mask, which is all ones for captions without padding, or positions.
  private func defineTokensOrMask(
    _ input: ONNXValueInfo, _ dimensions: [Int]
  ) throws(CLIPError) {
    let batch = dimensions[0] > 0 ? dimensions[0] : sizes.textBatch
    guard let length = dimensions[1] > 0 ? dimensions[1] : sizes.contextLength,
      length <= 1 << 14, batch <= 1 << 16
    else {
      throw CLIPError(
        .unsupported,
        "'\(model.path)': input '\(input.name)' has an impossible or no length; expected [n, L]")
    }
    if looksUpTable(input.name) {
      guard tokensInput == nil else {
        throw CLIPError(
          .unsupported,
          "'\(model.path)': has two inputs of token ids; expected one, got '\(input.name)' as well")
      }
      tokensInput = input.name
      let layout = TensorLayout(axes: [
        [StrideFactor(label: .batch, stride: 1, extent: batch)],
        [StrideFactor(label: .token, stride: 1, extent: length)],
      ])
      values[input.name] = add(.tokens, layout, type: .i64, node: nil, text: true)
    } else if input.name.contains("position") {
      let positions = (0..<batch).flatMap { _ in 0..<length }
      values[input.name] = constant(Numbers(Array(positions), [batch, length]), .i64)
    } else {
      let type = ElementType(onnx: input.elementType) ?? .i64
      let ones = [Int](repeating: 1, count: batch * length)
      values[input.name] = constant(Numbers(ones, [batch, length]), type)
    }
  }

  /// Whether a value reaches the indices of a `Gather` from a float table.
  private func looksUpTable(_ name: String) -> Bool {
    let passing: Set<String> = ["Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten"]
    var readers: [String: [ONNXNode]] = [:]
    for node in model.nodes where node.domain.isEmpty {
      if node.operation == "Gather", node.inputs.count == 2 {
        readers[node.inputs[1], default: []].append(node)
      } else if passing.contains(node.operation), let first = node.inputs.first {
        readers[first, default: []].append(node)
      }
    }
    var seen: Set<String> = [name]
    var open = [name]
    while let current = open.popLast() {
      for node in readers[current] ?? [] {
        if node.operation == "Gather" {
          if isTable(node.inputs[0], depth: 0) { return true }
        } else if let output = node.outputs.first, seen.insert(output).inserted {
          open.append(output)
        }
      }
    }
    return false
  }

  /// Whether a name is a constant matrix, perhaps behind nodes that keep it one.
  private func isTable(_ name: String, depth: Int) -> Bool {
    if let value = values[name] { return value.constant != nil && value.rank == 2 }
    guard depth < 8, let producer = producers[name] else { return false }
    let node = model.nodes[producer]
    if node.operation == "Constant", case .tensor(let index)? = node.attributes["value"] {
      return model.tensors[index].dimensions.count == 2
    }
    let passing: Set<String> = ["Identity", "Cast", "Transpose", "DequantizeLinear"]
    guard passing.contains(node.operation), let first = node.inputs.first else { return false }
    return isTable(first, depth: depth + 1)
  }

  // MARK: - Tables

  /// Adds a computed tensor; what it depends on follows from its operands.
  func add(
    _ computation: Computation, _ layout: TensorLayout, type: ElementType, node: Int?,
    operands: [GraphValue] = [], image: Bool = false, text: Bool = false
  ) -> GraphValue {
    var image = image
    var text = text
    for operand in operands {
      guard let index = operand.expression else { continue }
      image = image || expressions[index].dependsOnImage
      text = text || expressions[index].dependsOnText
    }
    expressions.append(
      Expression(
        computation: computation, layout: layout, node: node, dependsOnImage: image,
        dependsOnText: text))
    return GraphValue(origin: .expression(expressions.count - 1), layout: layout, type: type)
  }

  /// The whole tensor `index` of the file as a constant.
  func tensorValue(_ index: Int) -> GraphValue {
    let tensor = model.tensors[index]
    let position: Int
    if let known = tensorConstants[index] {
      position = known
    } else {
      constants.append(
        ConstantSource(content: .tensor(index), dimensions: tensor.dimensions, derivation: nil))
      position = constants.count - 1
      tensorConstants[index] = position
    }
    return GraphValue(
      origin: .constant(position), layout: TensorLayout(contiguous: tensor.dimensions),
      type: tensor.type ?? .u8)
  }

  /// A constant that the reader made.
  package func constant(
    _ numbers: Numbers, _ type: ElementType,
    derivation: ConstantSource.Derivation? = nil
  ) -> GraphValue {
    add(
      ConstantSource(
        content: .numbers(numbers), dimensions: numbers.dimensions, derivation: derivation),
      type: type)
  }

  func add(_ source: ConstantSource, type: ElementType) -> GraphValue {
    constants.append(source)
    return GraphValue(
      origin: .constant(constants.count - 1), layout: TensorLayout(contiguous: source.dimensions),
      type: type)
  }

  // MARK: - Errors

  /// Describes what is wrong at a node; without one, in the graph.
  package func refusal(
    _ node: ONNXNode?, _ problem: String, expected: String, got: String, remedy: String? = nil,
    code: CLIPError.Code = .unsupported
  ) -> CLIPError {
    CLIPError(
      code,
      "'\(model.path)': \(node?.label ?? "graph") \(problem); expected \(expected), got \(got)"
        + (remedy.map { "; \($0)" } ?? ""))
  }
}
