import CleanCLIPKit
import Testing

@Suite struct PerturbAndRecoverTests {
  /// L2-normalized rows from a seed.
  private static func features(_ rows: Int, _ columns: Int, seed: UInt64) throws -> Tensor {
    let result = try randomTensor([rows, columns], seed: seed)
    for row in 0..<rows {
      let own = result.f32 + row * columns
      let norm = (0..<columns).reduce(Float(0)) { $0 + own[$1] * own[$1] }.squareRoot()
      for k in 0..<columns { own[k] /= norm }
    }
    return result
  }

  /// Images a right angle from where they were (S = 2), texts opposite (S = 4, above τ).
  @Test func lossMatchesHandComputation() throws {
    let axes = try tensor([1, 0, 0, 1], [2, 2])
    let turned = try tensor([0, 1, 1, 0], [2, 2])
    let opposite = try tensor([-1, 0, 0, -1], [2, 2])
    let result = try PerturbAndRecoverLoss(threshold: 2.15).evaluate(
      imageFeatures: axes, textFeatures: axes, initialImageFeatures: turned,
      initialTextFeatures: opposite, logitScale: 0)
    // ln(1 + 1/e) for the right pairs; 2.15 - 2 for the images, nothing for the texts.
    #expect(abs(result.crossmodalLoss - 0.3132616875) < 1e-6)
    #expect(abs(result.inmodalLoss - 0.15) < 1e-6)
    #expect(abs(result.loss - 0.3132616875 - 0.075) < 1e-6)
  }

  @Test func gradientsMatchFiniteDifferences() throws {
    let features = try (1..<5).map { try Self.features(3, 5, seed: UInt64($0)) }
    func evaluate() throws -> CleanCLIPLoss.Result {
      try PerturbAndRecoverLoss(threshold: 3.5).evaluate(
        imageFeatures: features[0], textFeatures: features[1], initialImageFeatures: features[2],
        initialTextFeatures: features[3], logitScale: 1.1)
    }
    let result = try evaluate()
    #expect(result.inmodalLoss > 1)
    // 1e-7 of rounding over a step of 2e-3.
    for (tensor, gradient) in [
      (features[0], result.imageGradient), (features[1], result.textGradient),
    ] {
      try expectGradient(gradient, by: tensor, within: 1e-3) { try evaluate().loss }
    }
  }

  private static func trainer(
    _ model: CLIPModel, epochs: Int = 3, seed: UInt64 = 2,
    _ change: (inout TrainingOptions) -> Void = { _ in }
  ) throws -> Trainer {
    var options = TinyRun.options(epochs: epochs)
    options.learningRate = 1e-2
    change(&options)
    return try Trainer(
      try PARRecipe(model, threshold: 2.15, seed: seed), source: TinyRun.source(views: 1),
      options: options)
  }

  @Test(arguments: [false, true])
  func trainingMovesFeaturesAway(resNet: Bool) throws {
    let model = try TinyRun.model(resNet: resNet)
    let size = resNet ? 32 : TinyRun.imageSize
    let before = try model.copiedState()
    let scale = model.logitScale.value.f32[0]
    var options = TinyRun.options(epochs: 8)
    options.learningRate = 1e-2
    let result = try Trainer(
      try PARRecipe(model, threshold: 2.15, seed: 2), source: TinyRun.source(views: 1, size: size),
      options: options
    ).run()
    let (first, last) = (try #require(result.epochs.first), try #require(result.epochs.last))
    #expect(first.losses.inmodalLoss > last.losses.inmodalLoss)
    #expect(last.losses.loss < first.losses.loss)
    // The temperature and the statistics of batch norm stay.
    #expect(model.logitScale.value.f32[0] == scale)
    for (name, tensor) in model.stateDict() where name.contains("running_") {
      #expect(tensor.floats() == before[name]?.floats(), "\(name)")
    }
  }

  @Test func stepsDependOnSeedAndNumberAlone() throws {
    func weights(seed: UInt64) throws -> [UInt32] {
      let model = try TinyRun.model()
      _ = try Self.trainer(model, seed: seed).run()
      return model.bits
    }
    #expect(try weights(seed: 2) == weights(seed: 2))
    #expect(try weights(seed: 2) != weights(seed: 3))
  }

  @Test func resumingGivesTheSameWeights() throws {
    try expectResumingGivesTheSameWeights(after: 4) { try Self.trainer($0, $1) }
  }

  /// Two chunks have the loss and the gradient of the whole batch, which has no batch statistics.
  @Test func chunksGiveTheSameGradient() throws {
    let batch = try TinyRun.batch([0, 1, 2, 3], views: 1)
    func gradients(_ chunkSize: Int?) throws -> (loss: Double, values: [[Float]]) {
      let model = try TinyRun.model()
      let recipe = try PARRecipe(model, threshold: 2.15, seed: 2)
      // Away from the start, where the gradient of the distance is 0.
      for parameter in recipe.parameters {
        for index in 0..<parameter.value.count { parameter.value.f32[index] *= 1.1 }
        parameter.valueDidChange()
      }
      let losses = try recipe.accumulateGradients(batch, Pass(chunkSize: chunkSize))
      return (losses.loss, recipe.parameters.map { $0.gradient?.floats() ?? [] })
    }
    let (whole, parts) = (try gradients(nil), try gradients(2))
    #expect(abs(whole.loss - parts.loss) < 1e-5)
    for (a, b) in zip(whole.values, parts.values) { expectClose(b, a, rtol: 1e-3, atol: 1e-5, "") }
  }

  @Test func optionsAreChecked() throws {
    var options = SanitizeOptions(try SanitizeMethod.named("par"))
    for bad in [0, 4.5, Float.nan] {
      options.par.perturbThreshold = bad
      expectError(containing: "perturb_threshold is out of range; expected more than 0, at most 4")
      {
        try options.validate()
      }
    }
    var other = SanitizeOptions()
    other.par.perturbThreshold = 1
    expectError(containing: "perturb_threshold has no effect with method cleanclip") {
      try other.validate()
    }
    expectError(containing: "par: the model has one tower only") {
      _ = try PARRecipe(try tinyModel(vocabularySize: nil), threshold: 2.15, seed: 0)
    }
  }
}
