import CleanCLIPKit
import Glibc
import Testing

@Suite struct ONNXWriteBackTests {
  let folder = TemporaryFolder()

  @Test(arguments: ["vit.onnx", "vit-f16.onnx", "vit-merged.onnx"])
  func unchangedWeightsLeaveEveryByte(_ name: String) throws {
    let source = CheckpointFixture.path(name)
    try LoadedModel.load(source).save(to: folder.file("same.onnx"))
    #expect(try FileContents.read(folder.file("same.onnx")) == FileContents.read(source))
  }

  @Test func changedWeightsChangePayloadsOnly() throws {
    let source = CheckpointFixture.path("vit.onnx")
    let loaded = try LoadedModel.load(source)
    let name = "visual.transformer.resblocks.0.mlp.c_fc.bias"
    let parameter = try #require(loaded.model.parameters.first { $0.name == name })
    for index in 0..<parameter.value.count { parameter.value.f32[index] = -1.5 }
    try loaded.save(to: folder.file("changed.onnx"))
    let old = try FileContents.read(source)
    let new = try FileContents.read(folder.file("changed.onnx"))
    #expect(old.count == new.count)
    let differences = old.indices.filter { old[$0] != new[$0] }
    let first = try #require(differences.first)
    let last = try #require(differences.last)
    #expect(last - first < parameter.value.count * 4)
  }

  @Test func tensorsThatWereMergedGetTheirOwnWhenTheyDiffer() throws {
    let loaded = try LoadedModel.load(CheckpointFixture.path("vit-merged.onnx"))
    #expect((loaded.facts?.sharedTensors ?? 0) > 0)
    loaded.model.perturb(seed: 3)
    try loaded.save(to: folder.file("own.onnx"))
    let again = try LoadedModel.load(folder.file("own.onnx"))
    for (name, tensor) in again.model.tensorsByName {
      #expect(relativeDifference(tensor, try #require(loaded.model.tensorsByName[name])) < 1e-6)
    }
    #expect(again.facts?.nodes == loaded.facts?.nodes)
  }

  @Test func halfPrecisionKeepsItsFormAndRounds() throws {
    let loaded = try LoadedModel.load(CheckpointFixture.path("vit-f16.onnx"))
    loaded.model.perturb(seed: 5)
    try loaded.save(to: folder.file("half.onnx"))
    let again = try LoadedModel.load(folder.file("half.onnx"))
    #expect(again.facts?.elementTypes == loaded.facts?.elementTypes)
    for (name, tensor) in again.model.tensorsByName {
      #expect(relativeDifference(tensor, try #require(loaded.model.tensorsByName[name])) < 1e-3)
    }
  }

  @Test func valuesBeyondHalfPrecisionAreRefused() throws {
    let loaded = try LoadedModel.load(CheckpointFixture.path("vit-f16.onnx"))
    let parameter = try #require(loaded.model.parameters.first { $0.name == "visual.proj" })
    parameter.value.f32[3] = 1e6
    #expect(throws: CLIPError.self) { try loaded.save(to: folder.file("large.onnx")) }
    #expect(folder.names.isEmpty)
  }

  @Test func weightsThatAreNotNumbersAreRefused() throws {
    let loaded = try LoadedModel.load(CheckpointFixture.path("vit.onnx"))
    loaded.model.parameters[0].value.f32[0] = .nan
    #expect(throws: CLIPError.self) { try loaded.save(to: folder.file("nan.onnx")) }
    #expect(folder.names.isEmpty)
  }

  @Test func weightsThatAreOneAreSaidSoBeforehand() throws {
    var bytes = try FileContents.read(CheckpointFixture.path("vit.onnx"))
    let values = Array("/visual/transformer/resblocks.0/attn/Gather_5_output_0".utf8)
    // The only reader of the values reads the keys instead.
    let place = try #require(bytes.indices.last { bytes[$0...].starts(with: values) })
    bytes[place + values.count - "5_output_0".utf8.count] = UInt8(ascii: "4")
    try AtomicFile.write(bytes, to: folder.file("tied.onnx"))
    let loaded = try LoadedModel.load(folder.file("tied.onnx"))
    let error = #expect(throws: CLIPError.self) {
      try loaded.checkSaving(to: folder.file("back.onnx"))
    }
    #expect(error?.message.contains("visual.transformer.resblocks.0.attn.in_proj_") == true)
    try loaded.checkSaving(to: folder.file("back.safetensors"))
  }

  @Test func savingOverTheSourceIsSafe() throws {
    let path = folder.file("model.onnx")
    try AtomicFile.write(try FileContents.read(CheckpointFixture.path("vit.onnx")), to: path)
    let loaded = try LoadedModel.load(path)
    loaded.model.perturb(seed: 9)
    try loaded.save(to: path)
    loaded.model.perturb(seed: 10)
    try loaded.save(to: path)
    let again = try LoadedModel.load(path).model.tensorsByName
    for (name, tensor) in loaded.model.tensorsByName {
      #expect(relativeDifference(try #require(again[name]), tensor) < 1e-6)
    }
  }

  @Test(arguments: ["model.pt", "model", "/nonexistent/model.onnx"])
  func savingIsCheckedBeforehand(_ path: String) throws {
    let loaded = try LoadedModel.load(CheckpointFixture.path("vit.onnx"))
    #expect(throws: CLIPError.self) { try loaded.checkSaving(to: path) }
  }
}

extension ZooTests {
  @Test(arguments: importable) func savingBackIsPossibleAndSaidSoBeforehand(
    _ form: ZooForm
  ) throws {
    let folder = TemporaryFolder()
    try LoadedModel.load(try form.url(form.file)).checkSaving(to: folder.file("a.onnx"))
  }
}
