import CleanCLIPKit
import Testing

@Suite struct SafeTensorsTests {
  let folder = TemporaryFolder()

  /// Writes a file of a header and data bytes, with the header's true length or another.
  private func file(_ header: String, data: Int, length: UInt64? = nil) throws -> String {
    let length = length ?? UInt64(header.utf8.count)
    let path = folder.file("t.safetensors")
    try AtomicFile.write(
      (0..<8).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + Array(header.utf8)
        + [UInt8](repeating: 0, count: data), to: path)
    return path
  }

  @Test func readsWhatItWrote() throws {
    let path = folder.file("t.safetensors")
    let half = try Tensor(Shape([2]), .bf16)
    half.bf16[0] = 0x3F80
    half.bf16[1] = 0xC000
    try SafeTensors.write(
      [
        ("b", half), ("a", try Tensor([1, 2, 3, 4, 5, 6] as [Float], [2, 3])),
        ("n", try Tensor([7, -1] as [Int32], [2, 1])), ("s", try Tensor([9] as [Float], [])),
      ], metadata: ["format": "pt", "note": "\"quoted\""], to: path)
    let file = try SafeTensors.read(path)
    #expect(file.metadata == ["format": "pt", "note": "\"quoted\""])
    #expect(try file.tensor("a").floats() == [1, 2, 3, 4, 5, 6])
    #expect(try file.tensor("a").shape == [2, 3])
    #expect(try file.tensor("b").floats() == [1, -2])
    #expect(try file.tensor("n").dtype == .i32)
    #expect(try file.tensor("s").shape == [])
    #expect(file["b"]?.type == .bf16)
    #expect(throws: CLIPError.self) { try file.tensor("missing") }
  }

  @Test func refusesAHeaderLengthBeyondTheFile() throws {
    for length: UInt64 in [3, 1 << 20, 1 << 63, .max] {
      let path = try file("{}", data: 0, length: length)
      #expect(throws: CLIPError.self) { try SafeTensors.read(path) }
    }
  }

  @Test func refusesOverlappingTensors() throws {
    let path = try file(
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
        + #""b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, data: 12)
    #expect(throws: CLIPError.self) { try SafeTensors.read(path) }
  }

  @Test(arguments: [
    #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,16]}}"#,
    #"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
    #"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
    #"{"a":{"dtype":"F32","shape":[9007199254740992,1024],"data_offsets":[0,8]}}"#,
    #"{"a":{"dtype":"F32","shape":[0.5],"data_offsets":[0,8]}}"#,
    #"{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}"#,
    #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
    #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
    #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
    #"{"a":{"dtype":"F32","shape":[2]}}"#,
    #"{"a":[],"a":[]}"#, #"[]"#, #"{"__metadata__":{"x":1}}"#, "{",
  ])
  func refusesHeadersThatLie(_ header: String) throws {
    let path = try file(header, data: 8)
    #expect(throws: CLIPError.self) { try SafeTensors.read(path) }
  }

  @Test func refusesNamesGivenTwice() throws {
    let tensor = try Tensor([1] as [Float], [1])
    #expect(throws: CLIPError.self) {
      try SafeTensors.write([("a", tensor), ("a", tensor)], to: folder.file("t.safetensors"))
    }
    #expect(folder.names.isEmpty)
  }
}
