import CleanCLIPKit
import Testing

@Suite(.enabled(if: !ZooForm.all.isEmpty, "needs ../shared/onnx-zoo"))
struct ZooTests {
  static let importable = ZooForm.all.filter { $0.expectation == "import" }
  static let others = ZooForm.all.filter { $0.expectation != "import" }

  @Test(arguments: importable) func everyParameterEqualsTheOriginal(_ form: ZooForm) throws {
    let checkpoint = try CheckpointReader.load(try form.url(form.file))
    let originals = try form.originals(checkpoint.configuration)
    var compared = 0
    for (name, tensor) in checkpoint.tensors {
      if name == "logit_scale", !checkpoint.facts.hasTemperature { continue }
      let original = try #require(originals[name], "\(name) has no original")
      #expect(tensor.shape == original.shape || original.count == 1, "\(name)")
      // The exponential in the graph, or the folding, rounds.
      let tolerance =
        name == "logit_scale" || form.isFolded ? max(1e-6, form.tolerance) : form.tolerance
      let difference = relativeDifference(tensor, original)
      #expect(difference <= (form.tolerance > 1e-5 || form.isFolded ? tolerance : 1e-6), "\(name)")
      compared += 1
    }
    #expect(compared > 10)
  }

  @Test(arguments: importable) func featuresEqualTheReference(_ form: ZooForm) throws {
    let model = try LoadedModel.load(try form.url(form.file)).model
    let file = try SafeTensors.read(try form.url(try #require(form.tensors)))
    func find(_ names: [String]) throws -> Tensor? {
      for name in names where file[name] != nil { return try file.tensor(name) }
      return nil
    }
    if let expected = try find(["ref.image_features"]),
      let pixels = try find(["input.image", "input.pixel_values"])
    {
      let features = try model.encodeImages(pixels, normalize: false, precision: .f32)
      #expect(relativeDifference(features, expected) <= form.tolerance)
    }
    if let expected = try find(["ref.text_features"]),
      let ids = try find(["input.text", "input.input_ids"]), let text = model.configuration.text
    {
      let tokens = TokenBatch(
        padded: (0..<ids.count).map { ids.i32[$0] }, columns: ids.shape[1],
        endOfText: text.endOfText)
      let features = try model.encodeTexts(tokens, normalize: false, precision: .f32)
      #expect(relativeDifference(features, expected) <= form.tolerance)
    }
  }

  @Test(arguments: importable) func changedWeightsComeBackFromTheSameGraph(_ form: ZooForm) throws {
    let folder = TemporaryFolder()
    let path = folder.file("changed.onnx")
    let loaded = try LoadedModel.load(try form.url(form.file))
    loaded.model.perturb(seed: 7)
    try loaded.save(to: path)
    let again = try LoadedModel.load(path)
    #expect(again.model.configuration == loaded.model.configuration)
    let expected = loaded.model.tensorsByName
    for (name, tensor) in again.model.tensorsByName {
      if name == "logit_scale", again.facts?.hasTemperature == false { continue }
      let original = try #require(expected[name])
      #expect(relativeDifference(tensor, original) <= max(form.tolerance, 1e-6), "\(name)")
    }
  }

  @Test(arguments: importable) func unchangedWeightsLeaveTheFileAsItIs(_ form: ZooForm) throws {
    let folder = TemporaryFolder()
    // External data follows the model's name, so the copy keeps it where the name allows.
    let path = folder.file(form.file)
    try LoadedModel.load(try form.url(form.file)).save(to: path)
    let (old, new) = (try FileContents(try form.url(form.file)), try FileContents(path))
    if form.name != "tr_external_onefile_vit_ts17" {
      #expect(old.bytes.elementsEqual(new.bytes))
    }
  }

  @Test(arguments: others) func otherGraphsAreRefusedWithAReason(_ form: ZooForm) throws {
    do throws(CLIPError) {
      let loaded = try LoadedModel.load(Shared.url("onnx-zoo/" + form.file) ?? "")
      // "Refuse or exact": what is imported must be right.
      #expect(form.expectation == "refuse_or_exact")
      #expect(loaded.model.nonFiniteTensors().isEmpty)
    } catch {
      #expect(error.message.contains("expected"))
    }
    if form.expectation == "refuse_or_exact", (try? LoadedModel.load(form.url(form.file))) != nil {
      try everyParameterOrRowEquals(form)
    }
  }

  private func everyParameterOrRowEquals(_ form: ZooForm) throws {
    let model = try LoadedModel.load(try form.url(form.file)).model
    let file = try SafeTensors.read(try form.url(try #require(form.tensors)))
    let pixels = try file.tensor("input.image")
    let name = file["ref.image_features"] == nil ? "output.image_features" : "ref.image_features"
    let features = try model.encodeImages(
      pixels, normalize: name.hasPrefix("output"), precision: .f32)
    #expect(relativeDifference(features, try file.tensor(name)) <= 1e-5)
  }
}

@Suite struct GoldenFeatureTests {
  @Test(
    .enabled(if: Shared.url("models/rn-clean.onnx") != nil, "needs ../shared/models"),
    arguments: [
      ("rn-badnets", "rn-badnets"), ("rn-badnets-bn", "rn-badnets"), ("rn-clean", "rn-clean"),
    ])
  func featuresEqualTheGoldenFile(_ names: (String, String)) throws {
    let model = try LoadedModel.load(try #require(Shared.url("models/\(names.0).onnx"))).model
    let golden = try SafeTensors.read(
      try #require(Shared.url("models/\(names.1)-golden.safetensors")))
    let raw = try golden.tensor("pixels")
    let pixels = try Tensor(raw.shape)
    let configuration = model.configuration
    for index in 0..<raw.count {
      let channel = index / (64 * 64) % 3
      pixels.f32[index] =
        (raw.f32[index] - configuration.imageMean[channel])
        / configuration.imageStandardDeviation[channel]
    }
    let images = try model.encodeImages(pixels, normalize: true, precision: .f32)
    #expect(relativeDifference(images, try golden.tensor("image_features")) <= 2e-5)
    let ids = try golden.tensor("input_ids")
    let tokens = TokenBatch(
      padded: (0..<ids.count).map { ids.i32[$0] }, columns: ids.shape[1], endOfText: .highestID)
    let texts = try model.encodeTexts(tokens, normalize: true, precision: .f32)
    #expect(relativeDifference(texts, try golden.tensor("text_features")) <= 2e-5)
  }
}
