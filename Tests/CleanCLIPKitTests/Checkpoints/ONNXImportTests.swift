import CleanCLIPKit
import Testing

@Suite struct ONNXImportTests {
  @Test func recoversTheArchitecture() throws {
    let configuration = try CheckpointReader.load(CheckpointFixture.path("vit.onnx")).configuration
    let vision = TransformerConfiguration(
      width: 12, layers: 1, heads: 2, mlpWidth: 48, activation: .quickGELU)
    let text = TransformerConfiguration(
      width: 8, layers: 1, heads: 2, mlpWidth: 32, activation: .quickGELU)
    #expect(
      configuration
        == CLIPConfiguration(
          embedDim: 10,
          vision: .transformer(
            VisionTransformerConfiguration(imageSize: 16, patchSize: 8, transformer: vision)),
          text: TextConfiguration(contextLength: 6, vocabularySize: 40, transformer: text)))
  }

  @Test func everyParameterEqualsPyTorchs() throws {
    let tensors = try CheckpointReader.load(CheckpointFixture.path("vit.onnx")).tensors
    let state = try CheckpointFixture.state()
    #expect(Set(tensors.keys) == Set(state.keys))
    for (name, tensor) in tensors {
      let original = try #require(state[name])
      #expect(tensor.shape == original.shape)
      #expect(tensor.floats() == original.floats(), "\(name)")
    }
  }

  @Test func halfPrecisionIsReadFromBothOfItsForms() throws {
    let tensors = try CheckpointReader.load(CheckpointFixture.path("vit-f16.onnx")).tensors
    for (name, original) in try CheckpointFixture.state() {
      #expect(relativeDifference(try #require(tensors[name]), original) < 1e-3, "\(name)")
    }
  }

  @Test func featuresEqualPyTorchs() throws {
    let model = try LoadedModel.load(CheckpointFixture.path("vit.onnx")).model
    let golden = try SafeTensors.read(CheckpointFixture.path("vit-golden.safetensors"))
    let images = try model.encodeImages(
      try golden.tensor("image"), normalize: false, precision: .f32)
    #expect(relativeDifference(images, try golden.tensor("image_features")) < 1e-5)
    let ids = try golden.tensor("text")
    let tokens = TokenBatch(
      padded: (0..<ids.count).map { ids.i32[$0] }, columns: 6, endOfText: .highestID)
    let texts = try model.encodeTexts(tokens, normalize: false, precision: .f32)
    #expect(relativeDifference(texts, try golden.tensor("text_features")) < 1e-5)
  }

  /// The image tower's position ids, 0 to 49, stand before the text tower's, 0 to 76.
  @Test func freeSizesComeFromThePositionTables() throws {
    let path = CheckpointFixture.path("hf-free-sizes.onnx")
    let configuration = try CheckpointReader.load(path).configuration
    #expect(configuration.text?.contextLength == 77)
    #expect(configuration.vision?.imageSize == 56)
  }

  @Test(arguments: ["missing.onnx", "/tmp", ""]) func refusesPathsWithoutAFile(_ path: String) {
    #expect(throws: CLIPError.self) { try CheckpointReader.load(path) }
  }

  @Test func refusesTwoTowersOfTheSameKind() {
    let path = CheckpointFixture.path("vit.onnx")
    #expect(throws: CLIPError.self) { try CheckpointReader.load("\(path),\(path)") }
  }

  @Test func aFileCutAnywhereIsRefused() throws {
    let folder = TemporaryFolder()
    let bytes = try FileContents.read(CheckpointFixture.path("vit.onnx"))
    for length in stride(from: 1, to: bytes.count - 1, by: 2003) {
      try AtomicFile.write(Array(bytes[..<length]), to: folder.file("cut.onnx"))
      #expect(throws: CLIPError.self) { try CheckpointReader.load(folder.file("cut.onnx")) }
    }
  }

  /// Whatever the bytes, the reader returns or throws.
  @Test func changedBytesNeverTrap() throws {
    let folder = TemporaryFolder()
    let bytes = try FileContents.read(CheckpointFixture.path("vit.onnx"))
    var random = RandomNumbers(seed: 11)
    var refused = 0
    for _ in 0..<400 {
      var changed = bytes
      for _ in 0...random.integer(below: 4) {
        changed[random.integer(below: bytes.count)] = UInt8(random.integer(below: 256))
      }
      try AtomicFile.write(changed, to: folder.file("changed.onnx"))
      do throws(CLIPError) {
        _ = try LoadedModel.load(folder.file("changed.onnx"))
      } catch {
        refused += 1
      }
    }
    #expect(refused > 100)
  }
}
