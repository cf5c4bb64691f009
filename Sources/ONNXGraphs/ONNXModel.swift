package import CleanCLIPFiles
internal import COnnx

/// An ONNX file as plain values: nodes, tensors, inputs, outputs; payloads stay in the file.
package final class ONNXModel: Sendable {
  package let path: String
  package let file: InputFile
  package let irVersion: Int
  package let producer: String
  package let producerVersion: String
  /// Version of each operator set; the standard domain is "".
  package let opsets: [String: Int]
  /// Nodes of all graphs, the model's graph first.
  package let nodes: [ONNXNode]
  /// The model's graph, then branches of nodes.
  package let graphs: [ONNXGraph]
  package let inputs: [ONNXValueInfo]
  package let outputs: [ONNXValueInfo]
  /// Initializers of all graphs first, then tensors of node attributes.
  package let tensors: [ONNXTensor]
  package let functionCount: Int
  /// Free text by key; of two entries with one key, the last.
  package let metadata: [String: String]
  package let sparseInitializerCount: Int
  /// Where everything is that can be replaced in a copy of the file.
  let places: ONNXPlaces
  /// Other files that hold weights, by their location text.
  package let externalFiles: [String: InputFile]

  /// Opens, parses and validates a file; no weight is read yet.
  ///
  /// - Throws: `notFound`, `io`, and `format` for anything that is not an ONNX model or is inconsistent.
  package init(_ file: InputFile) throws(CLIPError) {
    let path = file.path
    guard file.count > 0 else {
      throw CLIPError(.format, "'\(path)': is empty; expected an ONNX model, got 0 bytes")
    }
    let handle = try Self.parse(file)
    defer { connx_model_free(handle) }
    let reader = ONNXMessageReader(handle: handle, path: path, folder: file.folder)
    let info = connx_model_describe(handle)
    self.path = path
    self.file = file
    irVersion = Int(info.ir_version)
    producer = String(info.producer_name)
    producerVersion = String(info.producer_version)
    opsets = try reader.opsets(info.opsets)
    places = try ONNXPlaces(handle)
    functionCount = info.functions
    metadata = reader.metadata(info.metadata)
    sparseInitializerCount = info.sparse_initializers
    graphs = try reader.graphs(info.graphs)
    inputs = try reader.values(isOutput: false, count: info.inputs)
    outputs = try reader.values(isOutput: true, count: info.outputs)
    nodes = try reader.nodes(info.nodes)
    var external: [String: InputFile] = [:]
    var tensors: [ONNXTensor] = []
    tensors.reserveCapacity(info.tensors)
    for index in 0..<info.tensors { tensors.append(try reader.tensor(index, &external)) }
    self.tensors = tensors
    externalFiles = external
    try checkNames()
  }

  /// Reads the file's message, without the payloads of its weights.
  private static func parse(_ file: InputFile) throws(CLIPError) -> OpaquePointer {
    let source = ParsedFile(file)
    var message = [CChar](repeating: 0, count: 512)
    let handle = connx_model_parse(
      { offset, length, target, source in
        guard let target, let source else { return 0 }
        return Unmanaged<ParsedFile>.fromOpaque(source).takeUnretainedValue()
          .read(offset, length, into: target) ? 1 : 0
      }, Unmanaged.passUnretained(source).toOpaque(), file.count, &message, message.count)
    if let handle { return handle }
    if let failure = source.failure { throw failure }
    let reason = String(
      decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    throw ForeignFile.refusal(try file.head(ForeignFile.headLength), path: file.path)
      ?? CLIPError(
        .format,
        "'\(file.path)': is not an ONNX model; expected a serialised ModelProto, got bytes where "
          + "\(reason); check that the file is whole")
  }

  /// The version of the standard operator set.
  package var opset: Int { opsets[""] ?? 1 }

  /// Initializers of the model's graph.
  package var initializers: ArraySlice<ONNXTensor> { tensors[graphs[0].initializers] }

  /// Elements that the files really hold.
  package var storedCount: Int {
    var inside = 0
    var outside = 0
    // Only readable tensors of known types have been compared with the file's size.
    for tensor in tensors where tensor.type != nil {
      switch tensor.payload {
      case .unreadable: break
      // Any number of tensors may be located in one place of a file.
      case .external: outside = min(outside + tensor.count, 1 << 48)
      default: inside += tensor.count
      }
    }
    return inside + min(outside, externalFiles.values.reduce(0) { $0 + $1.count })
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
package struct ONNXGraph: Sendable {
  package let nodes: Range<Int>
  package let initializers: Range<Int>
  package let outputs: [String]
}

/// A graph input or output.
package struct ONNXValueInfo: Sendable {
  package let name: String
  package let elementType: Int
  /// Sizes, -1 where they are free; `nil` when the file gives no shape.
  package let dimensions: [Int]?
}

/// A node.
package struct ONNXNode: Sendable {
  package let index: Int
  package let operation: String
  /// "" for the standard operators.
  package let domain: String
  package let name: String
  package let inputs: [String]
  package let outputs: [String]
  package let attributes: [String: ONNXAttribute]

  /// The operator with its domain.
  package var qualifiedOperation: String { domain.isEmpty ? operation : "\(domain)::\(operation)" }

  /// How messages call the node.
  package var label: String {
    let name = name.isEmpty ? outputs.first ?? "\(index)" : name
    return "node '\(name)' (\(qualifiedOperation))"
  }

  package func integer(_ name: String) -> Int? {
    if case .integer(let value)? = attributes[name] { value } else { nil }
  }

  /// An attribute that is true unless 0 or left out.
  package func flag(_ name: String) -> Bool { (integer(name) ?? 0) != 0 }

  package func float(_ name: String) -> Float? {
    if case .float(let value, _)? = attributes[name] { value } else { nil }
  }

  package func integers(_ name: String) -> [Int]? {
    if case .integers(let values)? = attributes[name] { values } else { nil }
  }

  package func string(_ name: String) -> String? {
    if case .string(let value)? = attributes[name] { value } else { nil }
  }
}

/// The value of a node's attribute.
package enum ONNXAttribute: Sendable {
  /// With its position among the node's attributes; `nil` when the file has no bytes of it.
  case float(Float, position: Int?)
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

/// A file while it is parsed, with the error that ended it.
private final class ParsedFile {
  private let file: InputFile
  private(set) var failure: CLIPError?

  init(_ file: InputFile) { self.file = file }

  func read(_ offset: Int, _ count: Int, into target: UnsafeMutableRawPointer) -> Bool {
    do throws(CLIPError) {
      try file.read(offset, count: count, into: target)
      return true
    } catch {
      failure = error
      return false
    }
  }
}
