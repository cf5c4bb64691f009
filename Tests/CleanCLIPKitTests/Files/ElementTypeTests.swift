import CleanCLIPKit
import Testing

@Suite struct ElementTypeTests {
  @Test func everyHalfPrecisionNumberConvertsAsTheLanguageDoes() throws {
    let bits = (0...UInt16.max).map { $0 }
    let tensor = try bits.withUnsafeBytes {
      try ElementType.f16.tensor(from: $0, shape: Shape([bits.count]), name: "test")
    }
    for (index, value) in tensor.floats().enumerated() {
      let expected = Float(Float16(bitPattern: bits[index]))
      #expect(value.bitPattern == expected.bitPattern || (value.isNaN && expected.isNaN))
    }
  }

  @Test func integersBeyond32BitsAreRefused() throws {
    let values: [Int64] = [1, 1 << 40]
    #expect(throws: CLIPError.self) {
      try values.withUnsafeBytes {
        try ElementType.i64.tensor(from: $0, shape: [2], name: "test")
      }
    }
  }

  @Test func productsThatOverflowHaveNoCount() {
    #expect(ElementType.elementCount([1 << 40, 1 << 40]) == nil)
    #expect(ElementType.elementCount([1 << 40, 1 << 40, 0]) == nil)
    #expect(ElementType.elementCount([-1]) == nil)
    #expect(ElementType.elementCount([]) == 1)
    #expect(ElementType.elementCount([3, 0]) == 0)
  }
}

@Suite struct NumPyFileTests {
  let folder = TemporaryFolder()

  @Test func readsWhatItWrote() throws {
    let path = folder.file("a.npy")
    try NumPyFile.write(try Tensor([1, 2, 3, 4, 5, 6] as [Float], [3, 2]), to: path)
    let tensor = try NumPyFile.read(path)
    #expect(tensor.shape == [3, 2])
    #expect(tensor.floats() == [1, 2, 3, 4, 5, 6])
    #expect(try FileContents.read(path).count == 128 + 24)
  }

  @Test(arguments: [0, 5, 11, 100, 140]) func refusesACutFile(_ length: Int) throws {
    let path = folder.file("a.npy")
    try NumPyFile.write(try Tensor([1, 2, 3, 4] as [Int32], [4]), to: path)
    try AtomicFile.write(Array(try FileContents.read(path).prefix(length)), to: path)
    #expect(throws: CLIPError.self) { try NumPyFile.read(path) }
  }
}

@Suite struct SHA256Tests {
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      String(repeating: "0123456789", count: 20),
      "295cbb667c2d2380418d4c7576c666c4f1690de2a2433f0e301bd5923377f8ed"
    ),
  ]) func hashesAsSHA256Sum(_ example: (text: String, hash: String)) {
    #expect(SHA256.hash(of: Array(example.text.utf8)) == example.hash)
  }
}
