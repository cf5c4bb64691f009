import CleanCLIPKit
import Testing

/// Graphs whose sizes are possible one by one and impossible together.
@Suite struct HostileSizeTests {
  let folder = TemporaryFolder()

  private func expectRefusal(_ message: Message, _ word: String = "expected") throws {
    try AtomicFile.write(message.bytes, to: folder.file("bad.onnx"))
    let error = #expect(throws: CLIPError.self) {
      try CheckpointReader.load(folder.file("bad.onnx"))
    }
    #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
  }

  private static func numbers(_ name: String, _ values: [Int64]) -> Message {
    .tensor(name, [Int64(values.count)], type: 7).with(
      9, values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } })
  }

  private static func double(_ name: String, _ value: Double) -> Message {
    let bits = value.bitPattern
    return .tensor(name, [], type: 11).with(
      9, (0..<8).map { UInt8(truncatingIfNeeded: bits >> ($0 * 8)) })
  }

  private static let one = Message.tensor("one", [1]).with(9, [0, 0, 0x80, 0x3F])

  @Test(arguments: [[1 << 40, 0], [0, 1 << 40], [1 << 20, 1 << 20, 0]] as [[Int64]])
  func tensorsWithoutElementsButWithLongAxes(_ dimensions: [Int64]) throws {
    try expectRefusal(
      .model([.node("Add", ["image", "w"], ["y"])], [.tensor("w", dimensions)]),
      "impossible dimensions")
  }

  @Test func anEmptySliceOfALongTensor() throws {
    try expectRefusal(
      .model(
        [
          .node("Expand", ["one", "shape"], ["long"]),
          .node("Slice", ["long", "zero", "zero", "axis"], ["empty"]),
          .node("Slice", ["empty", "end", "start", "zero", "back"], ["y"]),
        ],
        [
          Self.one, Self.numbers("shape", [1 << 38, 2]), Self.numbers("zero", [0]),
          Self.numbers("axis", [1]), Self.numbers("end", [-1]), Self.numbers("start", [-2]),
          Self.numbers("back", [-1]),
        ]))
  }

  @Test func aRangeThatEndsBeforeItStarts() throws {
    try expectRefusal(
      .model(
        [.node("Range", ["start", "limit", "delta"], ["y"])],
        [Self.double("start", 0), Self.double("limit", -1), Self.double("delta", 1e-300)]))
  }

  /// Found by random changes of graphs: the axis 0 of a scalar was taken for one.
  @Test(arguments: ["Gather", "Split", "Squeeze", "Slice", "SplitToSequence"])
  func axesOfAScalar(_ operation: String) throws {
    let operands = operation == "Slice" ? ["scalar", "zero", "zero", "zero"] : ["scalar", "zero"]
    try expectRefusal(
      .model(
        [.node(operation, operands, ["y"])],
        [Self.double("scalar", 1), Self.numbers("zero", [0])]), "axis")
  }

  @Test func aLayerOfNoFeatures() throws {
    try expectRefusal(
      .model(
        [
          .node("MatMul", ["image", "w"], ["none"]), .node("Transpose", ["none"], ["turned"]),
          .node("Reshape", ["turned", "shape"], ["y"]),
        ], [.tensor("w", [32, 0]), Self.numbers("shape", [64, 0])]), "computes nothing")
  }

  @Test func patchesOfAnOverflowingSize() throws {
    let huge: Int64 = 1 << 60
    var shape = Message()
    for size: Int64 in [0, 3, 0, 0] { shape = shape.with(1, Message().with(1, size)) }
    let image = Message().with(1, "image").with(
      2, Message().with(1, Message().with(1, 1).with(2, shape)))
    let strides = Message().with(1, "strides").with(8, huge).with(8, huge).with(20, 7)
    let graph = Message()
      .with(1, Message.node("Conv", ["image", "w"], ["y"]).with(5, strides))
      // In segments, so that nothing tells how much data there is.
      .with(5, Message.tensor("w", [1, 3, huge, 1]).with(3, Message()))
      .with(5, Message.tensor("positions", [65, 1]).with(9, [UInt8](repeating: 0, count: 260)))
      .with(11, image).with(12, Message().with(1, "y"))
    try expectRefusal(Message().with(1, 8).with(8, Message().with(2, 17)).with(7, graph))
  }

  @Test func typesWithoutSizeAddUpToNoStorage() throws {
    let tensors = ["a", "b", "c"].map { Message.tensor($0, [1 << 62], type: 17).with(9, [0]) }
    try expectRefusal(.model([.node("Add", ["image", "a"], ["y"])], tensors))
  }

  @Test func millionsOfEmptyNodes() throws {
    let nodes = (0..<1 << 22).map { $0 % 2 == 0 ? UInt8(0x0A) : 0 }
    try expectRefusal(Message().with(7, nodes), "more than 2097152 fields")
  }

  @Test func aSmallFileCannotFillTheMemory() throws {
    var nodes = [Message.node("ConstantOfShape", ["shape"], ["v0"])]
    for index in 0..<40 { nodes.append(.node("Add", ["v\(index)", "v0"], ["v\(index + 1)"])) }
    nodes.append(.node("Add", ["image", "v40"], ["y"]))
    try expectRefusal(
      .model(nodes, [Self.numbers("shape", [1 << 23])]), "computation with constants too many")
  }
}
