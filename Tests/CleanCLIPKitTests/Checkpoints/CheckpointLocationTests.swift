import CleanCLIPKit
import Testing

/// Checkpoints as libraries save them: in folders, in several files, one tower at a time.
@Suite struct CheckpointLocationTests {
  let folder = TemporaryFolder()

  /// The tiny model under Hugging Face's names.
  private func huggingFace() throws -> (file: SafeTensorsFile, model: LoadedModel) {
    let model = try LoadedModel.load(CheckpointFixture.path("vit.onnx"))
    try model.save(to: folder.file("model.safetensors"))
    return (try SafeTensors.read(folder.file("model.safetensors")), model)
  }

  private func expectSame(_ actual: LoadedModel, _ expected: LoadedModel) throws {
    for (name, tensor) in actual.model.tensorsByName {
      #expect(
        try #require(expected.model.tensorsByName[name]).floats() == tensor.floats(), "\(name)")
    }
  }

  /// Writes some tensors of a file with other metadata.
  private func write(
    _ file: SafeTensorsFile, to name: String, _ isTaken: (String) -> Bool,
    renamed: (String) -> String = { $0 }
  ) throws {
    let tensors = try file.entries.filter { isTaken($0.name) }.map {
      (renamed($0.name), try file.tensor($0.name))
    }
    try SafeTensors.write(tensors, to: folder.file(name))
  }

  @Test func aFolderIsACheckpoint() throws {
    let (_, model) = try huggingFace()
    try expectSame(try LoadedModel.load(folder.path), model)
    try expectSame(try LoadedModel.load(folder.path + "/"), model)
    let empty = TemporaryFolder()
    let error = #expect(throws: CLIPError.self) { try LoadedModel.load(empty.path) }
    #expect(error?.code == .notFound && error?.message.contains("model.safetensors") == true)
    try AtomicFile.write("x", to: empty.file("pytorch_model.bin"))
    let pickle = #expect(throws: CLIPError.self) { try LoadedModel.load(empty.path) }
    #expect(pickle?.message.contains("safe_serialization=True") == true)
  }

  @Test func severalFilesWithAnIndexAreOneCheckpoint() throws {
    let (file, model) = try huggingFace()
    let names = file.entries.map(\.name)
    let first = Set(names.prefix(names.count / 2))
    let parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    try write(file, to: parts[0]) { first.contains($0) }
    try write(file, to: parts[1]) { !first.contains($0) }
    var map = JSONObject()
    for name in names { map[name] = .string(parts[first.contains(name) ? 0 : 1]) }
    func index(_ map: JSONObject) throws {
      let json: JSONValue = ["metadata": ["total_size": 1], "weight_map": .object(map)]
      try AtomicFile.write(json.serialized(), to: folder.file("model.safetensors.index.json"))
    }
    try index(map)
    let path = folder.file("model.safetensors.index.json")
    try expectSame(try LoadedModel.load(path), model)
    let part = #expect(throws: CLIPError.self) { try LoadedModel.load(folder.file(parts[1])) }
    #expect(part?.message.contains("is one part of a checkpoint") == true)
    #expect(part?.message.contains("model.safetensors.index.json") == true)

    var wrong = map
    wrong[names[0]] = .string(parts[1])
    var missing = map
    missing["other.weight"] = .string(parts[0])
    var outside = map
    outside[names[0]] = "../model.safetensors"
    var less = map
    less[names[0]] = nil
    for (map, words) in [
      (wrong, "expected it where the index says"), (missing, "'other.weight' is missing"),
      (outside, "is in no file beside the index"), (less, "expected it where the index says"),
      (JSONObject(), "is no index of a checkpoint"),
    ] {
      try index(map)
      let error = #expect(throws: CLIPError.self) { try LoadedModel.load(path) }
      #expect(
        error?.code == .format && error?.message.contains(words) == true, "\(error?.message ?? "")")
    }
  }

  /// The configuration says both towers; the file has one.
  @Test(arguments: [
    ("text", "text_model.", "text_projection.weight"),
    ("vision", "vision_model.", "visual_projection.weight"),
  ])
  func oneTowerIsLoadedByItself(_ tower: (name: String, prefix: String, projection: String)) throws
  {
    let (file, model) = try huggingFace()
    for cut in [0, tower.prefix.count] {
      try write(
        file, to: "model.safetensors", { $0.hasPrefix(tower.prefix) || $0 == tower.projection },
        renamed: { $0.hasPrefix(tower.prefix) ? String($0.dropFirst(cut)) : $0 })
      let loaded = try LoadedModel.load(folder.path)
      #expect((loaded.model.configuration.text == nil) == (tower.name == "vision"))
      #expect((loaded.model.configuration.vision == nil) == (tower.name == "text"))
      for (name, tensor) in loaded.model.tensorsByName where name != "logit_scale" {
        #expect(try #require(model.model.tensorsByName[name]).floats() == tensor.floats())
      }
      try write(
        file, to: "model.safetensors", { $0.hasPrefix(tower.prefix) },
        renamed: { String($0.dropFirst(cut)) })
      let error = #expect(throws: CLIPError.self) { try LoadedModel.load(folder.path) }
      let kind = tower.name == "text" ? "CLIPTextModel" : "CLIPVisionModel"
      #expect(error?.message.contains("is a \(kind), which has no projection") == true)
      #expect(error?.message.contains("save a \(kind)WithProjection") == true)
    }
  }

  @Test(arguments: ["lora_A.weight", "lora_B.default.weight", "lora_up.weight"])
  func adaptersAreNamed(_ ending: String) throws {
    let name = "base_model.model.text_model.encoder.layers.0.self_attn.q_proj." + ending
    try SafeTensors.write(
      [(name, try Tensor([2, 2]))], to: folder.file("adapter_model.safetensors"))
    let error = #expect(throws: CLIPError.self) {
      try LoadedModel.load(folder.file("adapter_model.safetensors"))
    }
    #expect(error?.code == .unsupported && error?.message.contains("merge_and_unload") == true)
  }

  /// Commas in the names of folders and files.
  @Test func pathsMayHaveCommas() throws {
    let model = try LoadedModel.load(CheckpointFixture.path("vit.onnx"))
    try AtomicFile.write("", to: folder.file("x"))
    let inner = folder.path + "/a,b"
    try Self.makeFolder(inner)
    try model.export(to: inner + "/whole,model.onnx", names: .openCLIP)
    try expectSame(try LoadedModel.load(inner + "/whole,model.onnx"), model)
    let towers = try Self.towers(of: model)
    let (visual, textual) = (inner + "/v,isual.onnx", inner + "/text,ual.onnx")
    try towers.vision.save(to: visual)
    try towers.text.save(to: textual)
    let pair = try LoadedModel.load("\(visual),\(textual)")
    #expect(pair.model.configuration.vision != nil && pair.model.configuration.text != nil)
    let out = "\(inner)/o,ut-v.onnx,\(inner)/o,ut-t.onnx"
    try pair.save(to: out)
    #expect(
      FileContents.exists(inner + "/o,ut-v.onnx") && FileContents.exists(inner + "/o,ut-t.onnx"))
    _ = try LoadedModel.load(out)
  }

  private static func makeFolder(_ path: String) throws {
    try SavedStateKind.checkFolder(path)
  }

  /// The towers of a model as models of their own.
  private static func towers(
    of whole: LoadedModel
  ) throws -> (vision: LoadedModel, text: LoadedModel) {
    func part(_ change: (inout CLIPConfiguration) -> Void) throws -> LoadedModel {
      var configuration = whole.model.configuration
      change(&configuration)
      let names = Set(configuration.tensorSpecifications.map(\.name))
      return LoadedModel(
        try CLIPModel(
          configuration, tensors: whole.model.tensorsByName.filter { names.contains($0.key) }))
    }
    return (try part { $0.text = nil }, try part { $0.vision = nil })
  }
}
