import CleanCLIPKit
import Testing

@Suite struct CLIPModelTests {
  @Test func stateDictHasOpenCLIPsNamesAndMakesTheSameModel() throws {
    for resNet in [false, true] {
      let model = try TinyRun.model(resNet: resNet)
      let names = model.stateDict().map(\.name)
      #expect(Set(names).count == names.count)
      #expect(names.contains("visual.layer1.0.downsample.1.running_var") == resNet)
      #expect(names.contains("visual.transformer.resblocks.1.attn.in_proj_weight") == !resNet)
      #expect(names.contains("logit_scale") && names.contains("text_projection"))
      var tensors = try model.copiedState()
      tensors["visual.bn1.num_batches_tracked"] = try Tensor([3 as Int32], [])
      #expect(try CLIPModel(model.configuration, tensors: tensors).bits == model.bits)
    }
  }

  @Test func allProblemsAreReportedAtOnceAndLoadingChangesNothing() throws {
    let model = try TinyRun.model()
    let before = model.bits
    var tensors = try model.copiedState()
    tensors["ln_final.bias"] = nil
    tensors["visual.proj"] = try Tensor.zeros([6, 12])
    tensors["extra"] = try Tensor.zeros([1])
    tensors["logit_scale"] = try Tensor([1 as Int32], [])
    let error = #expect(throws: CLIPError.self) { try model.load(tensors) }
    let message = error?.message ?? ""
    #expect(error?.code == .format)
    #expect(message.contains("'ln_final.bias' [12] is missing"))
    #expect(message.contains("'visual.proj' has shape [6, 12], expected [12, 6]"))
    #expect(message.contains("'extra' is unexpected"))
    #expect(message.contains("'logit_scale' holds integers"))
    #expect(model.bits == before)
  }

  @Test func finitenessIsExact() throws {
    let largest = Float.greatestFiniteMagnitude
    #expect(try Tensor([0, -0.0, largest, -largest, 1e-45], [5]).isFinite)
    for value in [Float.nan, .infinity, -.infinity, -.nan, .signalingNaN] {
      let tensor = try Tensor([1, value, 2], [3])
      #expect(!tensor.isFinite)
      #expect(try !tensor.converted(to: .bf16).isFinite)
    }
    #expect(try Tensor([1, -2, 1e38] as [Float], [3]).converted(to: .bf16).isFinite)
    #expect(try Tensor([Int32.max, -1], [2]).isFinite)
  }

  @Test func weightsThatAreNotFiniteAreNamedUnlessAllowed() throws {
    let model = try TinyRun.model()
    let tensors = try model.copiedState()
    let broken = try #require(tensors["visual.proj"])
    broken.f32[5] = .nan
    let infinite = try #require(tensors["ln_final.weight"])
    infinite.f32[0] = -.infinity
    let error = #expect(throws: CLIPError.self) {
      try CLIPModel(model.configuration, tensors: tensors)
    }
    let message = error?.message ?? ""
    #expect(message.contains("'visual.proj'") && message.contains("'ln_final.weight'"))
    let inspected = try CLIPModel(
      model.configuration, tensors: tensors, allowsNonFinite: true)
    #expect(inspected.nonFiniteTensors() == ["visual.proj", "ln_final.weight"])
    #expect(throws: CLIPError.self) { try CleanCLIPRecipe(inspected, loss: TinyRun.loss) }
  }

  @Test func negativeVariancesAreRefused() throws {
    let model = try TinyRun.model(resNet: true)
    let name = "visual.layer3.0.bn1.running_var"
    let tensors = try model.copiedState()
    try #require(tensors[name]).f32[1] = -0.5
    let error = #expect(throws: CLIPError.self) {
      try CLIPModel(model.configuration, tensors: tensors)
    }
    #expect(error?.message.contains("'\(name)'") == true)
    let count = try #require(tensors[name]).count
    let negative = [Float](repeating: -1, count: count)
    #expect(throws: CLIPError.self) {
      try negative.withUnsafeBufferPointer { try model.setTensor(name, $0) }
    }
  }

  @Test func loadedWeightsAreUsedByTheNextPass() throws {
    let model = try TinyRun.model()
    let other = try CLIPModel(model.configuration, randomSeed: 8)
    let batch = try TinyRun.batch([0, 1, 2])
    let precisions: [DType] = CPUFeatures.computesBF16 ? [.f32, .bf16] : [.f32]
    for precision in precisions {
      _ = try model.encodeImages(batch.pixels, normalize: true, precision: precision)
      _ = try model.encodeTexts(batch.tokens, normalize: true, precision: precision)
    }
    try model.load(try other.copiedState())
    for precision in precisions {
      #expect(
        try model.encodeImages(batch.pixels, normalize: true, precision: precision).floats()
          == other.encodeImages(batch.pixels, normalize: true, precision: precision).floats())
      #expect(
        try model.encodeTexts(batch.tokens, normalize: true, precision: precision).floats()
          == other.encodeTexts(batch.tokens, normalize: true, precision: precision).floats())
    }
  }

  @Test func encodingIsIndependentOfTheBatchAndUnitLength() throws {
    let model = try TinyRun.model()
    let batch = try TinyRun.batch(Array(0..<35), views: 1)
    let images = try model.encodeImages(batch.pixels, normalize: true, precision: .f32)
    let texts = try model.encodeTexts(batch.tokens, normalize: true, precision: .f32)
    for row in [0, 31, 34] {
      let image = try model.encodeImages(
        batch.pixels.slice(row..<row + 1), normalize: true, precision: .f32)
      #expect(relativeError(images.slice(row..<row + 1).floats(), image.floats()) < 1e-5)
      let text = try model.encodeTexts(
        batch.tokens[row..<row + 1], normalize: true, precision: .f32)
      #expect(relativeError(texts.slice(row..<row + 1).floats(), text.floats()) < 1e-5)
      let norm = text.floats().reduce(0) { $0 + $1 * $1 }
      #expect(abs(norm - 1) < 1e-5)
    }
    let none = try model.encodeImages(
      try Tensor([0, 3, 8, 8]), normalize: true, precision: .f32)
    #expect(none.shape == [0, 6])
    let silent = try model.encodeTexts(TokenBatch([]), normalize: true, precision: .f32)
    #expect(silent.shape == [0, 6])
  }

  @Test func singleTensorsAreSet() throws {
    let model = try TinyRun.model()
    let batch = try TinyRun.batch([0])
    let before = try model.encodeImages(batch.pixels, normalize: false, precision: .f32).floats()
    let values = model.stateDict().first { $0.name == "visual.proj" }?.tensor.floats() ?? []
    try values.map { 2 * $0 }.withUnsafeBufferPointer { (values) throws in
      try model.setTensor("visual.proj", values)
      for name in ["visual.proj ", "ln_final.bias"] {
        #expect(throws: CLIPError.self) { try model.setTensor(name, values) }
      }
    }
    let after = try model.encodeImages(batch.pixels, normalize: false, precision: .f32).floats()
    #expect(relativeError(after, before.map { 2 * $0 }) < 1e-5)
    let error = #expect(throws: CLIPError.self) {
      try [Float.nan].withUnsafeBufferPointer { try model.setTensor("logit_scale", $0) }
    }
    #expect(error?.message.contains("'logit_scale'") ?? false)
  }

  @Test func pixelsAndCaptionsThatDoNotFitAreRefused() throws {
    let model = try TinyRun.model()
    #expect(throws: CLIPError.self) {
      try model.encodeImages(try Tensor.zeros([1, 3, 8, 9]), normalize: true, precision: .f32)
    }
    #expect(throws: CLIPError.self) {
      try model.encodeImages(try Tensor.zeros([3, 8, 8]), normalize: true, precision: .f32)
    }
    let long = TokenBatch([Array(repeating: 1, count: 8)])
    let error = #expect(throws: CLIPError.self) {
      try model.encodeTexts(long, normalize: true, precision: .f32)
    }
    #expect(
      error?.message == "encode text: a caption is too long; expected at most 7 tokens, got 8")
    for id in [-1, 32] as [Int32] {
      #expect(throws: CLIPError.self) {
        try model.encodeTexts(TokenBatch([[id]]), normalize: true, precision: .f32)
      }
    }
  }

  @Test func oneTowerEncodesAndTheOtherIsRefused() throws {
    var configuration = TinyRun.configuration()
    configuration.text = nil
    let images = try CLIPModel(configuration, randomSeed: 1)
    let batch = try TinyRun.batch([0])
    #expect(
      try images.encodeImages(batch.pixels, normalize: false, precision: .f32).shape == [2, 6])
    #expect(throws: CLIPError.self) {
      try images.encodeTexts(batch.tokens, normalize: true, precision: .f32)
    }
    #expect(throws: CLIPError.self) { try CleanCLIPRecipe(images, loss: TinyRun.loss) }
    configuration.vision = nil
    #expect(throws: CLIPError.self) { try CLIPModel(configuration, randomSeed: 1) }
  }

  @Test func configurationsThatCannotBeAreRefused() {
    let base = TinyRun.configuration()
    var changes: [CLIPConfiguration] = []
    func change(_ body: (inout CLIPConfiguration) -> Void) {
      var configuration = base
      body(&configuration)
      changes.append(configuration)
    }
    change { $0.embedDim = 0 }
    change { $0.embedDim = Int.max }
    change { $0.text?.contextLength = -1 }
    change { $0.text?.vocabularySize = Int.max }
    change { $0.text?.transformer.heads = 5 }
    change { $0.text?.transformer.heads = 0 }
    change { $0.text?.transformer.layers = Int.max }
    change { $0.text?.transformer.layerNormEpsilon = .nan }
    change { $0.preprocessing.standardDeviation = [1, 0, 1] }
    change { $0.preprocessing.mean = [] }
    let transformer = TransformerConfiguration(
      width: 12, layers: 1, heads: 3, mlpWidth: 12, activation: .gelu)
    for (image, patch) in [(9, 4), (8, 0), (8, 16), (Int.max, 1)] {
      change {
        $0.vision = .transformer(
          VisionTransformerConfiguration(
            imageSize: image, patchSize: patch, transformer: transformer))
      }
    }
    for (image, width, layers, heads) in [
      (48, 2, [1, 1, 1, 1], 2), (32, 3, [1, 1, 1, 1], 2), (32, 2, [1, 1, 1], 2),
      (32, 2, [1, 1, 0, 1], 2), (32, 2, [1, 1, 1, 1], 3),
    ] {
      change {
        $0.vision = .resNet(
          ModifiedResNetConfiguration(
            imageSize: image, width: width, layers: layers, heads: heads, batchNorm: .folded))
      }
    }
    for configuration in changes {
      let error = #expect(throws: CLIPError.self) {
        try CLIPModel(configuration, randomSeed: 1)
      }
      #expect(error?.code == .unsupported)
    }
  }

  @Test func paddedIdsAreCutAtTheTokenThatStandsForTheCaption() {
    let padded: [Int32] = [30, 4, 31, 0, 30, 31, 31, 5, 30, 31, 9, 9]
    let highest = TokenBatch(padded: padded, columns: 4, endOfText: .highestID)
    #expect((0..<3).map { highest[$0] } == [[30, 4, 31], [30, 31], [30, 31]])
    let byID = TokenBatch(padded: padded, columns: 4, endOfText: .id(9))
    #expect((0..<3).map { byID[$0] } == [[30], [30], [30, 31, 9]])
  }
}
