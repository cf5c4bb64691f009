internal import COnnx

/// Puts an ONNX graph together: nodes with one result, weights by name, constants as needed.
///
/// Values are named after the weights they meet, so that a viewer shows where one is. Tensors are
/// borrowed: they must outlive `write`.
final class GraphBuilder {
  /// TensorProto.DataType.
  enum ElementType: Int32 {
    case float = 1
    case int32 = 6
    case int64 = 7
  }

  private let handle: OpaquePointer
  private var tensors: [Tensor] = []
  private var constants: Set<String> = []
  private var constantPayloads: [UnsafeMutableRawPointer] = []
  private var nodes = 0
  private var hasFailed = false
  private let externalLocation: String?
  /// Payloads for the file beside the graph, in order.
  private(set) var externalPayloads: [Tensor] = []
  private var externalOffset = 0

  /// Payloads in the external file begin at multiples of this, so that they can be mapped.
  static let externalAlignment = 64

  /// - Parameter externalLocation: the name of the file for weights; `nil` to keep them inside.
  init(externalLocation: String?) throws(CLIPError) {
    guard let handle = connx_builder_create(8, 17) else {
      throw Self.outOfMemory
    }
    self.handle = handle
    self.externalLocation = externalLocation
  }

  deinit {
    connx_builder_free(handle)
    for payload in constantPayloads { payload.deallocate() }
  }

  private static let outOfMemory = CLIPError(
    .outOfMemory, "onnx export: out of memory; expected room for the graph's nodes")

  private func note(_ result: Int32) { if result == 0 { hasFailed = true } }

  // MARK: Graph

  func input(_ name: String, _ type: ElementType, _ dimensions: [String]) {
    value(name, type, dimensions, isOutput: 0)
  }

  /// Declares a graph output; the value of this name must be made by a node.
  func output(_ name: String, _ type: ElementType, _ dimensions: [String]) {
    value(name, type, dimensions, isOutput: 1)
  }

  private func value(
    _ name: String, _ type: ElementType, _ dimensions: [String], isOutput: Int32
  ) {
    withCStrings(dimensions) { pointers in
      note(
        connx_builder_value(
          handle, isOutput, name, type.rawValue, pointers.baseAddress, pointers.count))
    }
  }

  /// Adds free text to the model.
  func metadata(_ key: String, _ value: String) { note(connx_builder_metadata(handle, key, value)) }

  // MARK: Nodes

  /// Adds a node and returns the name of its result.
  ///
  /// - Parameter named: the result's name, for graph outputs; otherwise one is made up.
  func node(
    _ type: String, _ inputs: [String], ints: [String: [Int]] = [:], integers: [String: Int] = [:],
    floats: [String: Float] = [:], named: String? = nil
  ) -> String {
    let output = named ?? "\(type)_\(nodes)_output"
    withCStrings(inputs) { pointers in
      note(
        connx_builder_node(
          handle, type, "\(type)_\(nodes)", pointers.baseAddress, pointers.count, output))
    }
    nodes += 1
    for (name, value) in integers.sorted(by: { $0.key < $1.key }) {
      note(connx_builder_int(handle, name, Int64(value)))
    }
    for (name, value) in floats.sorted(by: { $0.key < $1.key }) {
      note(connx_builder_float(handle, name, value))
    }
    for (name, values) in ints.sorted(by: { $0.key < $1.key }) {
      note(connx_builder_ints(handle, name, values.map(Int64.init), values.count))
    }
    return output
  }

  /// Cuts the last axis into three equal parts.
  func splitInThree(_ x: String, width: Int) -> (String, String, String) {
    let names = ["query", "key", "value"].map { "Split_\(nodes)_\($0)" }
    let first = node(
      "Split", [x, integers([width, width, width])], integers: ["axis": -1], named: names[0])
    note(connx_builder_node_output(handle, names[1]))
    note(connx_builder_node_output(handle, names[2]))
    return (first, names[1], names[2])
  }

  // MARK: Tensors

  /// Adds a weight under its checkpoint name, which is returned.
  func weight(_ name: String, _ tensor: Tensor) -> String {
    tensors.append(tensor)
    var location: String?
    var offset = 0
    if let externalLocation {
      location = externalLocation
      offset = externalOffset
      externalPayloads.append(tensor)
      let unit = Self.externalAlignment
      externalOffset = (offset + tensor.byteCount + unit - 1) / unit * unit
    }
    let dimensions = tensor.shape.dimensions.map(Int64.init)
    note(
      connx_builder_initializer(
        handle, name, ElementType.float.rawValue, dimensions, dimensions.count, tensor.bytes,
        tensor.byteCount, location, UInt64(offset)))
    return name
  }

  /// Returns an int64 vector.
  func integers(_ values: [Int]) -> String {
    constant("int64_" + values.map(String.init).joined(separator: "_"), .int64, [values.count]) {
      values.withUnsafeBufferPointer { Self.copy($0.map(Int64.init)) }
    }
  }

  /// Returns an int64 scalar.
  func integer(_ value: Int) -> String {
    constant("int64_scalar_\(value)", .int64, []) { Self.copy([Int64(value)]) }
  }

  /// Returns a float scalar.
  func number(_ value: Float) -> String {
    constant("float_\(value)", .float, []) { Self.copy([value]) }
  }

  /// Returns the additive causal mask `[L, L]`: minus infinity above the diagonal.
  func causalMask(_ length: Int) -> String {
    constant("causal_mask", .float, [length, length]) {
      var mask = [Float](repeating: 0, count: length * length)
      for row in 0..<length {
        for column in row + 1..<max(row + 1, length) { mask[row * length + column] = -.infinity }
      }
      return Self.copy(mask)
    }
  }

  private func constant(
    _ name: String, _ type: ElementType, _ dimensions: [Int],
    _ make: () -> (payload: UnsafeMutableRawPointer, length: Int)
  ) -> String {
    guard constants.insert(name).inserted else { return name }
    let (payload, length) = make()
    constantPayloads.append(payload)
    note(
      connx_builder_initializer(
        handle, name, type.rawValue, dimensions.map(Int64.init), dimensions.count, payload, length,
        nil, 0))
    return name
  }

  private static func copy<Element>(
    _ values: [Element]
  ) -> (payload: UnsafeMutableRawPointer, length: Int) {
    values.withUnsafeBytes { bytes in
      let payload = UnsafeMutableRawPointer.allocate(
        byteCount: max(1, bytes.count), alignment: MemoryLayout<Element>.alignment)
      payload.copyMemory(
        from: bytes.baseAddress ?? UnsafeRawPointer(payload), byteCount: bytes.count)
      return (payload, bytes.count)
    }
  }

  // MARK: Writing

  /// Streams the graph into `file`.
  func write(into file: inout AtomicFile) throws(CLIPError) {
    guard !hasFailed else { throw Self.outOfMemory }
    var error: CLIPError?
    let result = withUnsafeMutablePointer(to: &file) { file in
      withUnsafeMutablePointer(to: &error) { error in
        var sink = Sink(file: file, error: error)
        return withUnsafeMutablePointer(to: &sink) { sink in
          connx_builder_write(
            handle,
            { bytes, length, context in
              guard let context else { return 0 }
              let sink = context.assumingMemoryBound(to: Sink.self).pointee
              do throws(CLIPError) {
                try sink.file.pointee.append(UnsafeRawBufferPointer(start: bytes, count: length))
                return 1
              } catch {
                sink.error.pointee = error
                return 0
              }
            }, sink)
        }
      }
    }
    if let error { throw error }
    if result == -1 {
      throw CLIPError(
        .unsupported,
        "onnx export: the graph is too large for one file; expected less than 2 GiB without "
          + "external weights")
    }
    guard result == 1 else { throw Self.outOfMemory }
  }

  private struct Sink {
    let file: UnsafeMutablePointer<AtomicFile>
    let error: UnsafeMutablePointer<CLIPError?>
  }
}

/// Calls `body` with C strings that live as long as the call.
private func withCStrings(
  _ strings: [String], _ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) -> Void
) {
  let lengths = strings.map { $0.utf8.count + 1 }
  let bytes = strings.flatMap { Array($0.utf8CString) }
  bytes.withUnsafeBufferPointer { buffer in
    var pointers: [UnsafePointer<CChar>?] = []
    var offset = 0
    for length in lengths {
      pointers.append(buffer.baseAddress.map { $0 + offset })
      offset += length
    }
    pointers.withUnsafeBufferPointer(body)
  }
}
