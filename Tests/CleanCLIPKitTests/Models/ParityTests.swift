import CleanCLIPKit
import Testing

/// Features, losses, gradients and training against PyTorch and OpenCLIP.
@Suite struct ParityTests {
  static let loss = CleanCLIPLoss(clipWeight: 1, inmodalWeight: 0.7)

  /// What the processor computes of f32 and bf16, with a tolerance each.
  private static func tolerances(_ f32: Double, _ bf16: Double) -> [(DType, Double)] {
    [(.f32, f32)] + (CPUFeatures.computesBF16 ? [(.bf16, bf16)] : [])
  }

  /// bf16 keeps 8 bits: 2^-9 for each rounding, over some twenty layers.
  @Test(arguments: ParityFixture.names, tolerances(1e-5, 2e-2))
  func featuresMatchOpenCLIP(name: String, precision: (DType, Double)) throws {
    let fixture = try ParityFixture(name)
    let model = try fixture.model()
    let batch = try fixture.batch(0)
    let (dtype, tolerance) = precision

    let images = try model.encodeImages(batch.pixels, normalize: false, precision: dtype)
    let imageError = relativeError(
      images.floats(), try fixture.values("image_features.inference"))
    #expect(imageError < tolerance)
    let texts = try model.encodeTexts(batch.tokens, normalize: false, precision: dtype)
    let textError = relativeError(texts.floats(), try fixture.values("text_features"))
    #expect(textError < tolerance)

    let tape = Tape(precision: dtype, isTraining: true)
    let training = try model.imageFeatures(tape, Variable(batch.pixels)).value.floats()
    let trainingError = relativeError(training, try fixture.values("image_features.training"))
    #expect(trainingError < tolerance)
  }

  @Test(arguments: ParityFixture.names)
  func lossesAndGradientsMatchOpenCLIP(name: String) throws {
    let fixture = try ParityFixture(name)
    let model = try fixture.model()
    let recipe = try CleanCLIPRecipe(model, loss: Self.loss)
    let losses = try recipe.accumulateGradients(
      try fixture.batch(0), Pass())
    let actual = [losses.loss, losses.crossmodalLoss, losses.inmodalLoss].map { Float($0) }
    #expect(relativeError(actual, try fixture.values("loss")) < 1e-5)

    let expected = fixture.tensors("gradient.")
    #expect(Set(model.parameters.map(\.name)) == Set(expected.keys))
    let all = expected.values.flatMap { $0.floats() }
    let norm = all.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    for parameter in model.parameters {
      // Softmax does not see what all keys have in common, nor a norm the scale of what comes in:
      // some gradients are next to 0, and rounding is all there is of them. An error of 1e-7 of the
      // whole gradient is let pass.
      let error = relativeError(
        try #require(parameter.gradient).floats(),
        try fixture.values("gradient." + parameter.name), floor: 1e-3 * norm)
      #expect(error < 1e-4, "\(parameter.name)")
    }

    let state = Dictionary(uniqueKeysWithValues: model.stateDict().map { ($0.name, $0.tensor) })
    for (name, statistic) in fixture.tensors("after.") {
      let error = relativeError(try #require(state[name]).floats(), statistic.floats())
      #expect(error < 1e-5, "\(name)")
    }
  }

  /// The curve in bf16 is another one after ten steps of 1e-3, but it follows.
  @Test(arguments: ParityFixture.names, tolerances(1e-4, 5e-2))
  func tenTrainingLossesMatchPyTorch(name: String, precision: (DType, Double)) throws {
    let fixture = try ParityFixture(name)
    let (dtype, tolerance) = precision
    var options = TrainingOptions()
    options.epochs = 1
    options.batchSize = ParityFixture.pairs
    options.learningRate = 1e-3
    options.warmupSteps = 3
    options.precision = dtype
    let source = BatchSource(
      pairs: ParityFixture.pairs * ParityFixture.steps, batchesPerEpoch: ParityFixture.steps,
      identity: name
    ) { (_, first) throws(CLIPError) in
      var step = first
      return BatchStream { () throws(CLIPError) in
        defer { step += 1 }
        do { return try fixture.batch(step) } catch {
          throw error as? CLIPError ?? CLIPError(.internal, "\(error)")
        }
      }
    }
    let trainer = try Trainer(
      try CleanCLIPRecipe(try fixture.model(), loss: Self.loss), source: source, options: options)
    var losses: [Float] = []
    _ = try trainer.run { progress in
      losses += [
        progress.losses.loss, progress.losses.crossmodalLoss, progress.losses.inmodalLoss,
      ].map { Float($0) }
      return true
    }
    let expected = try fixture.values("training_losses")
    #expect(losses.count == expected.count)
    let worst = zip(losses, expected).map { abs(Double($0 - $1) / Double($1)) }.max() ?? .infinity
    #expect(worst < tolerance)
  }
}
