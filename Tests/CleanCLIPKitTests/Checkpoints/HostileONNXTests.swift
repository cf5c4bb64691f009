import CleanCLIPKit
import Glibc
import Testing

/// A protobuf message put together by hand, for files that no exporter writes.
struct Message {
  private(set) var bytes: [UInt8] = []

  static func varint(_ value: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  func with(_ field: Int, _ number: Int64) -> Message {
    Message(
      bytes: bytes + Self.varint(UInt64(field) << 3) + Self.varint(UInt64(bitPattern: number)))
  }

  func with(_ field: Int, _ content: [UInt8], length: UInt64? = nil) -> Message {
    Message(
      bytes: bytes + Self.varint(UInt64(field) << 3 | 2)
        + Self.varint(length ?? UInt64(content.count)) + content)
  }

  func with(_ field: Int, _ text: String) -> Message { with(field, Array(text.utf8)) }
  func with(_ field: Int, _ message: Message) -> Message { with(field, message.bytes) }

  init(bytes: [UInt8] = []) { self.bytes = bytes }

  static func node(_ type: String, _ inputs: [String], _ outputs: [String]) -> Message {
    var node = Message()
    for input in inputs { node = node.with(1, input) }
    for output in outputs { node = node.with(2, output) }
    return node.with(3, "the_node").with(4, type)
  }

  /// A graph input [2, 3, 32, 32].
  static var image: Message {
    var shape = Message()
    for size: Int64 in [2, 3, 32, 32] { shape = shape.with(1, Message().with(1, size)) }
    let type = Message().with(1, Message().with(1, 1).with(2, shape))
    return Message().with(1, "image").with(2, type)
  }

  static func tensor(_ name: String, _ dimensions: [Int64], type: Int64 = 1) -> Message {
    var tensor = Message()
    for dimension in dimensions { tensor = tensor.with(1, dimension) }
    return tensor.with(2, type).with(8, name)
  }

  static func external(_ location: String, offset: String, length: String) -> Message {
    var tensor = tensor("w", [2])
    for (key, value) in [("location", location), ("offset", offset), ("length", length)] {
      tensor = tensor.with(13, Message().with(1, key).with(2, value))
    }
    return tensor.with(14, 1)
  }

  /// A model of nodes, initializers and the output "y".
  ///
  /// - Parameter domain: whose operators it imports; `nil` for none.
  static func model(
    _ nodes: [Message], _ tensors: [Message] = [], importing domain: String? = ""
  ) -> Message {
    var graph = Message()
    for node in nodes { graph = graph.with(1, node) }
    for tensor in tensors { graph = graph.with(5, tensor) }
    graph = graph.with(11, image).with(12, Message().with(1, "y"))
    var model = Message().with(1, 8)
    if let domain { model = model.with(8, Message().with(1, domain).with(2, 17)) }
    return model.with(7, graph)
  }
}

@Suite struct HostileONNXTests {
  let folder = TemporaryFolder()

  /// Expects a refusal whose message has a word.
  private func expectRefusal(_ message: Message, _ word: String) throws {
    try AtomicFile.write(message.bytes, to: folder.file("bad.onnx"))
    do throws(CLIPError) {
      _ = try CheckpointReader.load(folder.file("bad.onnx"))
      Issue.record("was not refused")
    } catch {
      #expect(error.message.contains(word), "\(error.message)")
    }
  }

  @Test func nodesThatDependOnEachOther() throws {
    try expectRefusal(
      .model([
        .node("Add", ["image", "b"], ["a"]), .node("Relu", ["a"], ["b"]),
        .node("Relu", ["b"], ["y"]),
      ]), "depends on itself")
  }

  @Test func anOutputThatNothingMakes() throws {
    try expectRefusal(.model([.node("Relu", ["image"], ["z"])]), "made by no node")
  }

  @Test func aValueMadeTwice() throws {
    try expectRefusal(
      .model([.node("Relu", ["image"], ["y"]), .node("Relu", ["image"], ["y"])]), "made twice")
  }

  @Test func initializersOfOneName() throws {
    let tensor = Message.tensor("w", [1]).with(9, [0, 0, 0, 0])
    try expectRefusal(.model([], [tensor, tensor]), "defined twice")
  }

  @Test(arguments: [[Int64.max, 4], [-1], [1 << 40, 1 << 40], [3]])
  func dimensionsThatDoNotFitTheData(_ dimensions: [Int64]) throws {
    let tensor = Message.tensor("w", dimensions).with(9, [0, 0, 0, 0])
    try expectRefusal(.model([.node("Add", ["image", "w"], ["y"])], [tensor]), "expected")
  }

  @Test(arguments: [
    "../secret", "/etc/passwd", "a/../../b", "..", "", "a\\..\\b", "link", "missing",
  ])
  func externalDataOutsideTheFolder(_ location: String) throws {
    symlink("/etc/passwd", folder.file("link"))
    let tensor = Message.external(location, offset: "0", length: "8")
    try expectRefusal(.model([.node("Add", ["image", "w"], ["y"])], [tensor]), "external data")
  }

  @Test(arguments: [
    ("0", "9"), ("4", "8"), ("-8", "8"), ("9223372036854775807", "8"),
    ("99999999999999999999", "8"), ("x", "8"), ("0", "-8"),
  ])
  func externalDataOutsideItsFile(_ numbers: (String, String)) throws {
    try AtomicFile.write([UInt8](repeating: 0, count: 8), to: folder.file("weights"))
    let tensor = Message.external("weights", offset: numbers.0, length: numbers.1)
    try expectRefusal(.model([.node("Add", ["image", "w"], ["y"])], [tensor]), "external data")
  }

  @Test func lengthsBeyondTheFile() throws {
    let graph = Message().with(1, [1, 2, 3], length: 1 << 55)
    try expectRefusal(Message().with(7, graph), "does not fit")
  }

  @Test func deeplyNestedBranches() throws {
    var graph = Message().with(1, Message.node("Relu", ["image"], ["y"]))
    for _ in 0..<60 {
      let attribute = Message().with(1, "then_branch").with(6, graph).with(20, 5)
      graph = Message().with(
        1, Message.node("If", ["image"], ["y"]).with(5, attribute))
    }
    try expectRefusal(Message().with(7, graph), "nested")
  }

  @Test(arguments: [nil, "com.microsoft"])
  func graphsWithoutAVersionOfTheStandardOperators(_ domain: String?) throws {
    try expectRefusal(
      .model([.node("Relu", ["image"], ["y"])], importing: domain), "an opset_import of the domain")
  }

  @Test func namesWithNUL() throws {
    try expectRefusal(.model([.node("Relu", ["image\0x"], ["y"])]), "UTF-8 without NUL")
  }

  @Test func sizesThatOverflowWhenTheyAreComputed() throws {
    let huge = Message.tensor("s", [2], type: 7).with(
      9, [UInt8](repeating: 0xFF, count: 7) + [0x3F] + [UInt8](repeating: 0xFF, count: 7) + [0x3F])
    let one = Message.tensor("one", [1]).with(9, [0, 0, 0, 0])
    for operation in ["Expand", "Reshape", "Tile"] {
      try expectRefusal(.model([.node(operation, ["one", "s"], ["y"])], [huge, one]), "expected")
    }
    try expectRefusal(.model([.node("ConstantOfShape", ["s"], ["y"])], [huge]), "expected")
    try expectRefusal(
      .model(
        [.node("Range", ["zero", "end", "step"], ["y"])],
        [
          .tensor("zero", [], type: 7).with(9, [UInt8](repeating: 0, count: 8)),
          .tensor("end", [], type: 7).with(9, [UInt8](repeating: 0xFF, count: 7) + [0x7F]),
          .tensor("step", [], type: 7).with(9, [1, 0, 0, 0, 0, 0, 0, 0]),
        ]), "expected")
  }

  @Test(arguments: [
    "DynamicQuantizeLinear", "MaxPool", "Loop", "SequenceAt", "LSTM", "NoSuchOperator",
  ])
  func operatorsThatCLIPDoesNotHave(_ operation: String) throws {
    try expectRefusal(.model([.node(operation, ["image"], ["y"])]), "'the_node' (\(operation))")
  }

  @Test func aLongChainOfNodes() throws {
    var nodes: [Message] = []
    var name = "image"
    for index in 0..<20_000 {
      nodes.append(.node("Relu", [name], ["v\(index)"]))
      name = "v\(index)"
    }
    nodes.append(.node("Relu", [name], ["y"]))
    try expectRefusal(.model(nodes), "expected")
  }
}
