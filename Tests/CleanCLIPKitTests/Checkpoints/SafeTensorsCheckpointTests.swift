import CleanCLIPKit
import Testing

@Suite struct SafeTensorsCheckpointTests {
  let folder = TemporaryFolder()

  @Test(arguments: ["x.safetensors", "open_clip_model.safetensors", "model.safetensors"])
  func aCheckpointComesBack(_ name: String) throws {
    let model = try LoadedModel.load(CheckpointFixture.path("vit.onnx"))
    try model.save(to: folder.file(name))
    let again = try LoadedModel.load(folder.file(name))
    #expect(again.model.configuration == model.model.configuration)
    let tensors = again.model.tensorsByName
    for (name, tensor) in model.model.tensorsByName {
      #expect(tensors[name]?.floats() == tensor.floats(), "\(name)")
    }
  }

  @Test func theConfigurationBesideTheFileIsRead() throws {
    let model = try LoadedModel.load(CheckpointFixture.path("vit.onnx"))
    for (name, beside) in [
      ("open_clip_model.safetensors", "open_clip_config.json"),
      ("model.safetensors", "config.json"),
    ] {
      try model.save(to: folder.file(name))
      #expect(folder.names.contains(beside))
      let file = try SafeTensors.read(folder.file(name))
      let tensors = try file.entries.map { ($0.name, try file.tensor($0.name)) }
      try SafeTensors.write(tensors, metadata: ["format": "pt"], to: folder.file(name))
      let again = try LoadedModel.load(folder.file(name))
      #expect(again.model.configuration == model.model.configuration)
    }
  }

  @Test func aFileWithoutConfigurationIsRefused() throws {
    try SafeTensors.write(
      [("x", try Tensor([1] as [Float], [1]))], to: folder.file("a.safetensors"))
    #expect(throws: CLIPError.self) { try LoadedModel.load(folder.file("a.safetensors")) }
  }

  private static func smallResNet(
    isFolded: Bool, activation: Activation, epsilon: Float = 1e-5
  ) -> CLIPConfiguration {
    let transformer = TransformerConfiguration(
      width: 12, layers: 2, heads: 3, mlpWidth: 20, activation: activation,
      layerNormEpsilon: epsilon)
    return CLIPConfiguration(
      embedDim: 8,
      vision: .resNet(
        ModifiedResNetConfiguration(
          imageSize: 64, width: 2, layers: [1, 2, 1, 1], heads: 4,
          batchNorm: isFolded ? .folded : .separate(epsilon: 1e-4))),
      text: TextConfiguration(
        contextLength: 7, vocabularySize: 30, transformer: transformer, endOfText: .id(29)))
  }

  @Test(arguments: [true, false]) func everyArchitectureComesBack(_ isFolded: Bool) throws {
    let configuration = Self.smallResNet(isFolded: isFolded, activation: .geluTanh, epsilon: 1e-6)
    let model = LoadedModel(try CLIPModel(configuration, randomSeed: 1))
    try model.save(to: folder.file("a.safetensors"))
    #expect(try LoadedModel.load(folder.file("a.safetensors")).model.configuration == configuration)
  }

  /// Found by the fuzz target `configuration`: the graph was written, and refused when read.
  @Test func headsOfOneFeatureAreReadBack() throws {
    let configuration = try CLIPConfiguration.architecture(
      """
      {"embed_dim": 4, "vision_cfg": {"image_size": 4, "layers": 1, "width": 4, "head_width": 1,
       "patch_size": 2}, "text_cfg": {"context_length": 4, "vocab_size": 8, "width": 4, "heads": 4,
       "layers": 1}}
      """)
    let model = LoadedModel(try CLIPModel(configuration, randomSeed: 1))
    try model.save(to: folder.file("a.onnx"))
    #expect(try LoadedModel.load(folder.file("a.onnx")).model.configuration == configuration)
  }

  @Test(arguments: [true, false]) func aFreshGraphIsImportedAgain(_ isFolded: Bool) throws {
    let configuration = Self.smallResNet(isFolded: isFolded, activation: .gelu)
    let model = LoadedModel(try CLIPModel(configuration, randomSeed: 2))
    try model.save(to: folder.file("a.onnx"))
    let again = try LoadedModel.load(folder.file("a.onnx"))
    #expect(again.model.configuration == configuration)
    let tensors = again.model.tensorsByName
    for (name, tensor) in model.model.tensorsByName where name != "logit_scale" {
      #expect(tensors[name]?.floats() == tensor.floats(), "\(name)")
    }
  }

  @Test func weightsBesideAFreshGraphAreReadAndWrittenBack() throws {
    let model = try LoadedModel.load(CheckpointFixture.path("vit.onnx")).model
    try FreshGraph.write(
      model.configuration, tensors: model.tensorsByName, to: .path(folder.file("a.onnx")),
      largestInside: 100)
    #expect(folder.names == ["a.onnx", "a.onnx.data"])
    let outside = try LoadedModel.load(folder.file("a.onnx"))
    outside.model.perturb(seed: 4)
    try outside.save(to: folder.file("b.onnx"))
    #expect(folder.names == ["a.onnx", "a.onnx.data", "b.onnx", "b.onnx.data"])
    let again = try LoadedModel.load(folder.file("b.onnx")).model.tensorsByName
    for (name, tensor) in outside.model.tensorsByName {
      #expect(relativeDifference(try #require(again[name]), tensor) < 1e-6, "\(name)")
    }
  }

  @Test func huggingFaceGraphsAreImportedAgain() throws {
    let loaded = try LoadedModel.load(CheckpointFixture.path("vit.onnx"))
    try loaded.export(to: folder.file("hf.onnx"), names: .huggingFace)
    let again = try LoadedModel.load(folder.file("hf.onnx"))
    #expect(again.facts?.outputs.contains("logits_per_image") == true)
    #expect(again.model.configuration == loaded.model.configuration)
    let tensors = again.model.tensorsByName
    for (name, tensor) in loaded.model.tensorsByName {
      #expect(relativeDifference(try #require(tensors[name]), tensor) < 1e-6, "\(name)")
    }
  }
}
