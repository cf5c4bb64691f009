import CleanCLIPKit
import Testing

@Suite struct TriggerFileTests {
  private let folder = TemporaryFolder()

  /// Numbers in the middle of a kind's range, which differ from place to place.
  private func values(_ kind: TriggerKind, side: Int = 6) -> [Float] {
    let range = kind.range(side: side)
    return (0..<kind.planes * side * side).map { index in
      range.lowerBound + (range.upperBound - range.lowerBound) * (0.25 + Float(index % 7) / 14)
    }
  }

  /// Writes a file as a saved trigger, with a part of it changed.
  private func written(
    _ kind: TriggerKind, values: [Float]? = nil, shape: Shape? = nil,
    _ change: (inout [String: String]) -> Void = { _ in }
  ) throws -> String {
    var metadata = [
      "format": "cleanclip trigger 1", "kind": kind.name, "size": "0.5", "provenance": "a test",
    ]
    change(&metadata)
    let values = values ?? self.values(kind)
    let tensor = try Tensor(values, shape ?? Shape([values.count / 36, 6, 6]))
    try SafeTensors.write([("trigger", tensor)], metadata: metadata, to: path)
    return path
  }

  private var path: String { folder.file("trigger.safetensors") }

  private func message(_ path: String, _ options: TriggerOptions = TriggerOptions()) -> String {
    do {
      _ = try Trigger.load(path, options)
      return "no error"
    } catch { return "\(error)" }
  }

  @Test(arguments: TriggerKind.all)
  func savedTriggersAreReadBack(kind: TriggerKind) throws {
    let trigger = try Trigger.load(try written(kind))
    let copy = folder.file("copy.safetensors")
    try trigger.save(to: copy)
    let again = try Trigger.load(copy)
    #expect(again.recovered == trigger.recovered)
    #expect(again.summary == "recovered \(kind.name) of 6x6 px, size 0.5, a test")
    let preview = try ImageDecoder.decode(
      try FileContents.read(folder.file("copy.png")), name: "copy.png")
    #expect(preview.image.width == 6 && preview.image.height == 6)
    #expect(try FileContents.read(copy) == FileContents.read(path))
  }

  @Test(arguments: TriggerKind.all)
  func imagesAndTensorsGetTheSameTrigger(kind: TriggerKind) throws {
    let trigger = try Trigger.load(try written(kind))
    let image = TriggerTests.image(width: 6, height: 6)
    let result = try trigger.applied(to: image, seed: 0, index: 0)
    #expect(result != image)
    let pixels = try Tensor(
      (0..<108).map { Float(image.pixels[3 * ($0 % 36) + $0 / 36]) / 255 }, [1, 3, 6, 6])
    let triggered = try trigger.applied(to: pixels, seed: 0, firstIndex: 0).floats()
    for i in 0..<108 {
      #expect(abs(triggered[i] * 255 - Float(result.pixels[3 * (i % 36) + i / 36])) <= 0.501)
    }
  }

  @Test func otherSizesAreRefused() throws {
    let trigger = try Trigger.load(try written(.patch))
    #expect {
      try trigger.applied(to: TriggerTests.image(width: 8, height: 6), seed: 0, index: 0)
    } throws: { error in
      (error as? CLIPError)?.code == .shape && "\(error)".contains("expected 6x6 pixels, got 8x6")
    }
    #expect(throws: CLIPError.self) {
      try trigger.applied(to: try Tensor.zeros([2, 3, 5, 6]), seed: 0, firstIndex: 0)
    }
  }

  @Test func recoveredTriggersHaveNoOptions() throws {
    let path = try written(.warp)
    for change: (inout TriggerOptions) -> Void in [
      { $0.position = .random }, { $0.patchSize = 4 }, { $0.strength = 1 },
    ] {
      var options = TriggerOptions()
      change(&options)
      #expect(message(path, options).contains("has no effect; expected none"))
    }
  }

  @Test func onlyRecoveredTriggersAreSaved() throws {
    let error = #expect(throws: CLIPError.self) { try Trigger(.badnets).save(to: path) }
    #expect(error?.code == .unsupported)
    let trigger = try Trigger.load(try written(.patch))
    #expect(throws: CLIPError.self) { try trigger.save(to: folder.file("trigger.png")) }
  }

  @Test func metadataThatDoesNotFitIsRefused() throws {
    #expect(message(try written(.patch) { $0["format"] = "pt" }).contains("not a saved trigger"))
    #expect(message(try written(.patch) { $0["kind"] = "blob" }).contains("expected one of patch,"))
    for size in ["nan", "inf", "-1", "", "0.5 "] {
      #expect(message(try written(.patch) { $0["size"] = size }).contains("expected"))
    }
    let long = String(repeating: "x", count: 5_000) + "\u{1B}[2J"
    let summary = try Trigger.load(try written(.patch) { $0["provenance"] = long }).summary
    #expect(summary.utf8.count < 1_000 && !summary.contains("\u{1B}"))
  }

  @Test(arguments: TriggerKind.all)
  func numbersOutOfRangeAreRefused(kind: TriggerKind) throws {
    for bad in [Float.nan, .infinity, -7, 1e30] {
      var values = values(kind)
      values[values.count / 2] = bad
      #expect(message(try written(kind, values: values)).contains("is out of range; expected"))
    }
  }

  @Test func shapesThatDoNotFitAreRefused() throws {
    let shapes: [Shape] = [
      [144], [4, 36, 1], [3, 6, 8], [2, 2, 6, 6], [4, 4, 9], [144, 1, 1],
    ]
    for shape in shapes {
      let path = try written(.patch, values: values(.patch), shape: shape)
      #expect(message(path).contains("expected"))
    }
    #expect(message(try written(.patch, values: [], shape: [4, 0, 0])).contains("expected"))
    let many = try Tensor([Float](repeating: 0.5, count: 144), [4, 6, 6])
    try SafeTensors.write(
      [("trigger", many), ("more", many)],
      metadata: ["format": "cleanclip trigger 1", "kind": "patch", "size": "1"], to: path)
    #expect(message(path).contains("expected one tensor 'trigger'"))
    let integers = try Tensor([Int32](repeating: 1, count: 144), [4, 6, 6])
    try SafeTensors.write(
      [("trigger", integers)],
      metadata: ["format": "cleanclip trigger 1", "kind": "patch", "size": "1"], to: path)
    #expect(message(path).contains("expected [4, 6, 6] of f32"))
  }

  @Test func truncatedFilesAreRefused() throws {
    let bytes = try FileContents.read(try written(.additive))
    for count in stride(from: 1, to: bytes.count, by: 97) {
      try AtomicFile.write(Array(bytes.prefix(count)), to: path)
      #expect(message(path) != "no error")
    }
  }
}
