internal import CleanCLIPFiles
internal import COnnx

extension String {
  /// Decodes bytes of a protobuf string; invalid UTF-8 becomes replacement characters.
  init(_ text: connx_string) {
    self = Self.decode(text)
  }

  private static func decode(_ text: connx_string) -> String {
    guard let data = text.data else { return "" }
    return String(
      decoding: UnsafeRawBufferPointer(start: data, count: text.length), as: UTF8.self)
  }
}

/// Copies the parsed message into Swift values, checking what the file may get wrong.
struct ONNXMessageReader {
  let handle: OpaquePointer
  let path: String
  /// Of the model's file; `nil` for one in memory.
  let folder: String?

  /// A name that graphs connect nodes with: valid UTF-8 without NUL, so that it stays unique.
  private func name(_ text: connx_string) throws(CLIPError) -> String {
    guard let data = text.data, text.length > 0 else { return "" }
    let bytes = UnsafeRawBufferPointer(start: data, count: text.length)
    guard !bytes.contains(0), let name = String(validating: bytes, as: UTF8.self) else {
      throw CLIPError(
        .format, "'\(path)': a name is not text; expected UTF-8 without NUL, got other bytes")
    }
    return name
  }

  func opsets(_ count: Int) throws(CLIPError) -> [String: Int] {
    var opsets: [String: Int] = [:]
    for index in 0..<count {
      var version: Int64 = 0
      let domain = try name(connx_opset(handle, index, &version))
      opsets[Self.normalized(domain)] = Int(version)
    }
    return opsets
  }

  func metadata(_ count: Int) -> [String: String] {
    var metadata: [String: String] = [:]
    for index in 0..<count {
      var value = connx_string()
      let key = String(connx_metadata(handle, index, &value))
      metadata[key] = String(value)
    }
    return metadata
  }

  private static func normalized(_ domain: String) -> String { domain == "ai.onnx" ? "" : domain }

  func values(isOutput: Bool, count: Int) throws(CLIPError) -> [ONNXValueInfo] {
    let kind: Int32 = isOutput ? 1 : 0
    var values: [ONNXValueInfo] = []
    for index in 0..<count {
      let info = connx_value_at(handle, kind, index)
      var sizes: [Int] = []
      for axis in 0..<info.rank {
        let size = connx_dimension_at(handle, kind, index, axis)
        // Zero and negative sizes of inputs mean the same as no size in files seen in the wild.
        sizes.append(size > 0 ? Int(size) : -1)
      }
      values.append(
        ONNXValueInfo(
          name: try name(info.name), elementType: Int(info.element_type),
          dimensions: info.has_shape != 0 ? sizes : nil))
    }
    return values
  }

  func graphs(_ count: Int) throws(CLIPError) -> [ONNXGraph] {
    var graphs: [ONNXGraph] = []
    for index in 0..<count {
      let graph = connx_graph_at(handle, index)
      var outputs: [String] = []
      for output in 0..<graph.outputs {
        outputs.append(try name(connx_graph_output(handle, index, output)))
      }
      graphs.append(
        ONNXGraph(
          nodes: graph.first_node..<graph.first_node + graph.nodes,
          initializers: graph.first_initializer..<graph.first_initializer + graph.initializers,
          outputs: outputs))
    }
    return graphs
  }

  func nodes(_ count: Int) throws(CLIPError) -> [ONNXNode] {
    var nodes: [ONNXNode] = []
    nodes.reserveCapacity(count)
    for index in 0..<count {
      let node = connx_node_at(handle, index)
      var inputs: [String] = []
      for input in 0..<node.inputs {
        inputs.append(try name(connx_node_input(handle, index, input)))
      }
      var outputs: [String] = []
      for output in 0..<node.outputs {
        outputs.append(try name(connx_node_output(handle, index, output)))
      }
      var attributes: [String: ONNXAttribute] = [:]
      for position in 0..<node.attributes {
        let attribute = connx_attribute_at(handle, index, position)
        attributes[try name(attribute.name)] = Self.value(attribute, at: position)
      }
      nodes.append(
        ONNXNode(
          index: index, operation: try name(node.op_type),
          domain: Self.normalized(try name(node.domain)), name: String(node.name),
          inputs: inputs, outputs: outputs, attributes: attributes))
    }
    return nodes
  }

  /// Converts an attribute; the numbers are AttributeProto.AttributeType.
  private static func value(_ attribute: connx_attribute, at position: Int) -> ONNXAttribute {
    switch attribute.type {
    case 1: .float(attribute.f, position: attribute.has_f != 0 ? position : nil)
    case 2: .integer(Int(attribute.i))
    case 3: .string(String(attribute.s))
    case 4 where attribute.tensor >= 0: .tensor(Int(attribute.tensor))
    case 5 where attribute.graph >= 0: .graph(Int(attribute.graph))
    case 6:
      .floats(
        Array(UnsafeBufferPointer(start: attribute.floats, count: attribute.floats_count)))
    case 7:
      .integers(
        UnsafeBufferPointer(start: attribute.ints, count: attribute.ints_count).map { Int($0) })
    default: .other
    }
  }

  func tensor(
    _ index: Int, _ external: inout [String: InputFile]
  ) throws(CLIPError) -> ONNXTensor {
    let info = connx_tensor_at(handle, index)
    let name = try name(info.name)
    var dimensions: [Int] = []
    for axis in 0..<info.rank { dimensions.append(Int(info.dims?[axis] ?? -1)) }
    guard info.rank <= 16, let count = ElementType.elementCount(dimensions) else {
      throw CLIPError(
        .format,
        "'\(path)': tensor '\(name)' has impossible dimensions; expected sizes whose product is a "
          + "number, got \(dimensions.prefix(16))")
    }
    let type = ElementType(onnx: Int(info.data_type))
    let range = info.payload_offset..<info.payload_offset + info.payload_length
    var payload = ONNXTensor.Payload.none
    switch info.storage {
    case CONNX_STORAGE_RAW: payload = .raw(range)
    case CONNX_STORAGE_FLOATS: payload = .floats(range)
    case CONNX_STORAGE_INT32:
      payload = .numbers(Self.numbers(info, as: Int32.self), isPacked: info.has_payload != 0)
    case CONNX_STORAGE_INT64:
      payload = .numbers(Self.numbers(info, as: Int64.self), isPacked: false)
    case CONNX_STORAGE_UINT64:
      payload = .numbers(Self.numbers(info, as: UInt64.self), isPacked: false)
    case CONNX_STORAGE_DOUBLE:
      payload = .doubles(
        Array(
          UnsafeBufferPointer(
            start: info.elements?.assumingMemoryBound(to: Double.self), count: info.elements_count))
      )
    case CONNX_STORAGE_EXTERNAL:
      payload = .external(
        try ONNXExternalData(
          info, tensor: name, modelPath: path, folder: folder,
          byteCount: type?.byteCount(of: count), &external))
    case CONNX_STORAGE_OTHER: payload = .unreadable
    default: break
    }
    let tensor = ONNXTensor(
      index: index, name: name, dataType: Int(info.data_type), type: type,
      dimensions: dimensions, count: count, payload: payload)
    try tensor.checkLength(path: path)
    return tensor
  }

  private static func numbers<Element: FixedWidthInteger>(
    _ info: connx_tensor, as type: Element.Type
  ) -> [Int] {
    UnsafeBufferPointer(
      start: info.elements?.assumingMemoryBound(to: Element.self), count: info.elements_count
    ).map { Int(truncatingIfNeeded: $0) }
  }
}
