import CleanCLIPKit
import Testing

@Suite struct SimCLIPTests {
  /// Cosines 0.6 and 0: the mean of 1 - cosine is 0.7, and each side's gradient a quarter of the difference.
  @Test func lossMatchesHandComputation() throws {
    let features = try tensor([1, 0, 0, 1, 0.6, 0.8, 1, 0], [4, 2])
    let result = try SiameseLoss.evaluate(features, weight: 0.5)
    #expect(abs(result.loss - 0.7) < 1e-6)
    expectClose(
      result.gradient.floats(), [0.1, -0.2, -0.25, 0.25, -0.1, 0.2, 0.25, -0.25], rtol: 1e-6,
      atol: 1e-7, "gradient")
    expectError(containing: "siamese loss: features do not fit; expected two rows an image") {
      _ = try SiameseLoss.evaluate(try tensor([1, 0], [1, 2]), weight: 1)
    }
  }

  /// A side's gradient is half of what it is without stop(·).
  @Test func gradientsMatchFiniteDifferences() throws {
    let features = try randomTensor([6, 5], seed: 3)
    let result = try SiameseLoss.evaluate(features, weight: 1.0 / 3)
    let step: Float = 1e-2
    for index in 0..<features.count {
      let original = features.f32[index]
      features.f32[index] = original + step
      let above = try SiameseLoss.evaluate(features, weight: 1.0 / 3).loss
      features.f32[index] = original - step
      let below = try SiameseLoss.evaluate(features, weight: 1.0 / 3).loss
      features.f32[index] = original
      let slope = (above - below) / Double(2 * step)
      // Quadratic in each value, so that only rounding is left.
      #expect(abs(slope / 2 - Double(result.gradient.f32[index])) < 1e-5)
    }
  }

  /// Every value stays within ε and 0…1, and where the slope is steady at the bound in its direction.
  @Test func attackStaysWithinItsBounds() throws {
    let configuration = TinyRun.configuration()
    let (mean, deviation) = (configuration.imageMean, configuration.imageStandardDeviation)
    let images = try Tensor([2, 3, 8, 8])
    var random = RandomNumbers(seed: 4)
    for index in 0..<images.count {
      let channel = index / 64 % 3
      // Black, white and values between.
      let pixel = min(1, max(0, 1.4 * random.uniform() - 0.2))
      images.f32[index] = (pixel - mean[channel]) / deviation[channel]
    }
    let slopes = try randomTensor(images.shape, seed: 5)
    for index in 0..<slopes.count where index % 7 == 0 { slopes.f32[index] = 0 }
    let attack = ProjectedGradient(SimCLIPOptions(), configuration, seed: 1)
    let moved = try attack.images(near: images, step: 0) { _ in slopes }
    for index in 0..<images.count {
      let channel = index / 64 % 3
      let pixel = images.f32[index] * deviation[channel] + mean[channel]
      let value = moved.f32[index] * deviation[channel] + mean[channel]
      #expect(abs(value - pixel) <= 4 / 255 + 1e-6 && value >= -1e-6 && value <= 1 + 1e-6)
      let slope = slopes.f32[index]
      guard slope != 0 else { continue }
      let end = slope > 0 ? min(1, pixel + 4 / 255) : max(0, pixel - 4 / 255)
      #expect(abs(value - end) < 1e-5)
    }
    let flat = try Tensor.zeros(images.shape)
    let other = try attack.images(near: images, step: 1) { _ in flat }
    let same = try attack.images(near: images, step: 1) { _ in flat }
    let next = try attack.images(near: images, step: 2) { _ in flat }
    #expect(other.floats() == same.floats() && other.floats() != next.floats())
  }

  private static func options(steps: Int = 10) -> SimCLIPOptions {
    var options = SimCLIPOptions()
    options.attackEpsilon = 16
    options.attackStepSize = 4
    options.attackSteps = steps
    return options
  }

  private static func trainer(
    _ model: CLIPModel, epochs: Int = 3, resNet: Bool = false, seed: UInt64 = 2,
    _ change: (inout TrainingOptions) -> Void = { _ in }
  ) throws -> Trainer {
    var training = TinyRun.options(epochs: epochs)
    training.learningRate = 1e-2
    change(&training)
    return try Trainer(
      try SimCLIPRecipe(model, options: options(), seed: seed),
      source: TinyRun.source(views: 1, size: resNet ? 32 : TinyRun.imageSize), options: training)
  }

  /// The mean of 1 - cosine over a batch whose images were moved.
  private static func distance(_ model: CLIPModel, _ a: Tensor, _ b: Tensor) throws -> Double {
    let count = a.shape[0]
    let tape = Tape(isRecording: false)
    func features(_ images: Tensor) throws -> Tensor {
      try tape.normalize(try model.imageFeatures(tape, Variable(images))).value
    }
    let (first, second) = (try features(a), try features(b))
    var sum = 0.0
    for index in 0..<first.count { sum += Double(first.f32[index] * second.f32[index]) }
    return 1 - sum / Double(count)
  }

  @Test(arguments: [false, true])
  func attackMovesFeaturesAway(resNet: Bool) throws {
    let model = try TinyRun.model(resNet: resNet)
    let images = try TinyRun.batch(
      [0, 1, 2, 3], views: 1, size: resNet ? 32 : TinyRun.imageSize
    ).pixels
    func attacked(_ steps: Int) throws -> Double {
      let recipe = try SimCLIPRecipe(model, options: Self.options(steps: steps), seed: 2)
      let moved = try recipe.attackedImages(images, Pass())
      // The attack leaves weights alone.
      #expect(recipe.parameters.allSatisfy { $0.isTrainable && $0.gradient == nil })
      return try Self.distance(model, images, moved)
    }
    let (one, ten) = (try attacked(1), try attacked(10))
    #expect(ten > 1.2 * one && one > 0)
  }

  @Test(arguments: [false, true])
  func trainingLowersTheLossUnderAttack(resNet: Bool) throws {
    let model = try TinyRun.model(resNet: resNet)
    let before = try model.copiedState()
    let result = try Self.trainer(model, epochs: 8, resNet: resNet).run()
    let (first, last) = (try #require(result.epochs.first), try #require(result.epochs.last))
    #expect(last.losses.loss < 0.7 * first.losses.loss)
    var changed = false
    for (name, tensor) in model.stateDict() {
      let isSame = tensor.floats() == before[name]?.floats()
      // The text tower, the temperature and the statistics of batch norm stay.
      if !name.hasPrefix("visual.") || name.contains("running_") {
        #expect(isSame, "\(name)")
      } else if !isSame {
        changed = true
      }
    }
    #expect(changed)
  }

  @Test func stepsDependOnSeedAndNumberAlone() throws {
    // Signs of slopes turn with last digits, which another number of threads changes: other tests set one.
    Threads.beginCall()
    defer { Threads.endCall() }
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

  /// Images do not depend on each other: two chunks have the loss and the gradient of the whole.
  @Test func chunksGiveTheSameGradient() throws {
    let batch = try TinyRun.batch([0, 1, 2, 3], views: 1)
    func gradients(_ chunkSize: Int?) throws -> (loss: Double, values: [[Float]]) {
      let recipe = try SimCLIPRecipe(try TinyRun.model(), options: Self.options(steps: 2), seed: 2)
      let losses = try recipe.accumulateGradients(batch, Pass(chunkSize: chunkSize))
      return (losses.loss, recipe.parameters.map { $0.gradient?.floats() ?? [] })
    }
    let (whole, parts) = (try gradients(nil), try gradients(2))
    #expect(abs(whole.loss - parts.loss) < 1e-5)
    for (a, b) in zip(whole.values, parts.values) { expectClose(b, a, rtol: 1e-3, atol: 1e-5, "") }
  }

  @Test func itNeedsImagesAlone() throws {
    var options = SanitizeOptions(try SanitizeMethod.named("simclip"))
    options.training.epochs = 2
    options.training.batchSize = 4
    let model = try TinyRun.model()
    let sanitizer = try Sanitizer(
      model, tokenizer: nil, dataset: try SanitizeMethodTests.dataset(), options: options)
    try sanitizer.run()
    #expect(sanitizer.history.isComplete && sanitizer.history.steps.count == 6)
    #expect(sanitizer.history.settings["attack_steps"] == .integer(10))
  }

  @Test func optionsAreChecked() throws {
    let method = try SanitizeMethod.named("simclip")
    for bad in [0, 256, Float.nan] {
      var options = SanitizeOptions(method)
      options.simclip.attackEpsilon = bad
      expectError(containing: "attack_epsilon is out of range; expected more than 0, at most 255") {
        try options.validate()
      }
      options = SanitizeOptions(method)
      options.simclip.attackStepSize = bad
      expectError(containing: "attack_step_size is out of range") { try options.validate() }
    }
    var other = SanitizeOptions()
    other.simclip.attackSteps = 3
    expectError(containing: "attack_steps has no effect with method cleanclip") {
      try other.validate()
    }
    var text = TinyRun.configuration()
    text.vision = nil
    expectError(containing: "simclip: the model has no image tower") {
      _ = try SimCLIPRecipe(
        try CLIPModel(text, randomSeed: 1), options: SimCLIPOptions(), seed: 0)
    }
  }
}
