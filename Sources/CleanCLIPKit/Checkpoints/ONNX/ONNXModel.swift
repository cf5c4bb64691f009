internal import COnnx

/// An ONNX file as plain values: nodes, tensors, inputs, outputs; payloads stay in the file.
final class ONNXModel: Sendable {
  let path: String
  let file: MappedFile
  let irVersion: Int
  let producer: String
  let producerVersion: String
  /// Version of each operator set; the standard domain is "".
  let opsets: [String: Int]
  let metadata: [String: String]
  /// Nodes of all graphs, the model's graph first.
  let nodes: [ONNXNode]
  /// The model's graph, then branches of nodes.
  let graphs: [ONNXGraph]
  let inputs: [ONNXValueInfo]
  let outputs: [ONNXValueInfo]
  /// Initializers of all graphs first, then tensors of node attributes.
  let tensors: [ONNXTensor]
  let functionCount: Int
  let sparseInitializerCount: Int
  /// Messages that enclose replaceable fields, parents before children.
  let messages: [ONNXField]
  /// Other files that hold weights, by their location text.
  let externalFiles: [String: MappedFile]

  /// Opens, parses and validates a file; no weight is read yet.
  ///
  /// - Throws: `notFound`, `io`, and `format` for anything that is not an ONNX model or lies.
  init(_ path: String) throws(CLIPError) {
    let file = try MappedFile(path)
    guard file.bytes.count > 0 else {
      throw CLIPError(.format, "'\(path)': is empty; expected an ONNX model, got 0 bytes")
    }
    var message = [CChar](repeating: 0, count: 512)
    let base = file.bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    guard let handle = connx_model_parse(base, file.bytes.count, &message, message.count) else {
      let reason = String(
        decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw ForeignFile.refusal(file.bytes, path: path)
        ?? CLIPError(
          .format,
          "'\(path)': is not an ONNX model; expected a serialised ModelProto, got bytes where "
            + "\(reason); check that the file is whole")
    }
    defer { connx_model_free(handle) }
    let reader = ONNXMessageReader(handle: handle, path: path, file: file)
    let info = connx_model_describe(handle)
    self.path = path
    self.file = file
    irVersion = Int(info.ir_version)
    producer = String(info.producer_name)
    producerVersion = String(info.producer_version)
    opsets = try reader.opsets(info.opsets)
    metadata = reader.metadata(info.metadata)
    messages = (0..<info.messages).map { ONNXField(connx_message(handle, $0)) }
    functionCount = info.functions
    sparseInitializerCount = info.sparse_initializers
    graphs = try reader.graphs(info.graphs)
    inputs = try reader.values(isOutput: false, count: info.inputs)
    outputs = try reader.values(isOutput: true, count: info.outputs)
    nodes = try reader.nodes(info.nodes)
    var external: [String: MappedFile] = [:]
    var tensors: [ONNXTensor] = []
    tensors.reserveCapacity(info.tensors)
    for index in 0..<info.tensors { tensors.append(try reader.tensor(index, &external)) }
    self.tensors = tensors
    externalFiles = external
    try checkNames()
  }

  /// The version of the standard operator set.
  var opset: Int { opsets[""] ?? 1 }

  /// Initializers of the model's graph.
  var initializers: ArraySlice<ONNXTensor> { tensors[graphs[0].initializers] }

  /// Elements that the files really hold.
  var storedCount: Int {
    var inside = 0
    var outside = 0
    // Only readable tensors of known types have been compared with the file's size.
    for tensor in tensors where tensor.type != nil {
      switch tensor.payload {
      case .unreadable: break
      // Any number of tensors may lie in one place of a file.
      case .external: outside = min(outside + tensor.count, 1 << 48)
      default: inside += tensor.count
      }
    }
    return inside + min(outside, externalFiles.values.reduce(0) { $0 + $1.bytes.count })
  }

  private func checkNames() throws(CLIPError) {
    for graph in graphs {
      var seen: Set<String> = []
      for tensor in tensors[graph.initializers]
      where !seen.insert(tensor.name).inserted || tensor.name.isEmpty {
        throw CLIPError(
          .format,
          "'\(path)': initializer '\(tensor.name)' is defined twice or has no name; expected "
            + "unique names")
      }
      for node in nodes[graph.nodes] {
        for output in node.outputs where !output.isEmpty {
          guard seen.insert(output).inserted else {
            throw CLIPError(
              .format,
              "'\(path)': value '\(output)' is made twice, the second time by \(node.label); "
                + "expected one node or initializer for each name")
          }
        }
      }
    }
  }
}

/// A graph: the model's, or a branch of a node.
struct ONNXGraph: Sendable {
  let nodes: Range<Int>
  let initializers: Range<Int>
  let outputs: [String]
  let message: Int
}

/// A replaceable field of the file: the varint of its length and its content.
struct ONNXField: Sendable {
  /// Index of the enclosing message; -1 for the file.
  let parent: Int
  let lengthRange: Range<Int>
  let range: Range<Int>

  init(_ field: connx_field) {
    parent = Int(field.parent)
    lengthRange = field.length_offset..<field.length_offset + field.length_size
    range = field.offset..<field.offset + field.length
  }

  /// Whether the field is in the file at all.
  var isPresent: Bool { !lengthRange.isEmpty }
}

/// A graph input or output.
struct ONNXValueInfo: Sendable {
  let name: String
  let elementType: Int
  /// Sizes, -1 where they are free; `nil` when the file gives no shape.
  let dimensions: [Int]?
  /// Names of free sizes, "" where there are none.
  let dimensionNames: [String]
}

/// A node.
struct ONNXNode: Sendable {
  let index: Int
  let operation: String
  /// "" for the standard operators.
  let domain: String
  let name: String
  let inputs: [String]
  let inputFields: [ONNXField]
  let outputs: [String]
  let attributes: [String: ONNXAttribute]

  /// The operator with its domain.
  var qualifiedOperation: String { domain.isEmpty ? operation : "\(domain)::\(operation)" }

  /// How messages call the node.
  var label: String {
    let name = name.isEmpty ? outputs.first ?? "\(index)" : name
    return "node '\(name)' (\(qualifiedOperation))"
  }

  func integer(_ name: String) -> Int? {
    if case .integer(let value)? = attributes[name] { value } else { nil }
  }

  /// An attribute that is true unless 0 or left out.
  func flag(_ name: String) -> Bool { (integer(name) ?? 0) != 0 }

  func float(_ name: String) -> Float? {
    if case .float(let value, _)? = attributes[name] { value } else { nil }
  }

  func integers(_ name: String) -> [Int]? {
    if case .integers(let values)? = attributes[name] { values } else { nil }
  }

  func string(_ name: String) -> String? {
    if case .string(let value)? = attributes[name] { value } else { nil }
  }
}

/// The value of a node's attribute.
enum ONNXAttribute: Sendable {
  case float(Float, offset: Int)
  case integer(Int)
  case string(String)
  case floats([Float])
  case integers([Int])
  /// Index of the tensor.
  case tensor(Int)
  /// Index of the graph.
  case graph(Int)
  /// A type that no operator of a CLIP model has.
  case other
}
