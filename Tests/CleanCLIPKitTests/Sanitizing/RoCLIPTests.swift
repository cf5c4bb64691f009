import CleanCLIPKit
import Testing

@Suite struct RoCLIPTests {
  /// Three of four captions fit; the first goes when the fourth comes.
  @Test func poolMatchesHandComputation() throws {
    let pool = try CaptionPool(capacity: 3, width: 2)
    let images = try tensor([1, 0, 0, 1, -0.6, 0.8], [3, 2])
    #expect(try pool.nearest(to: images) == nil)
    pool.add(try tensor([1, 0, -1, 0], [2, 2]))
    #expect(try pool.nearest(to: images)?.floats() == [1, 0, 1, 0, -1, 0])
    pool.add(try tensor([0.8, 0.6, 0.6, 0.8], [2, 2]))
    #expect(pool.count == 3)
    // Left are -1 0, .8 .6 and .6 .8: cosines -1 .8 .6; 0 .6 .8; .6 0 .28.
    #expect(try pool.nearest(to: images)?.floats() == [0.8, 0.6, 0.6, 0.8, -1, 0])
    // More at once than there is room for: the last three stay.
    pool.add(try tensor([9, 9, 0, 1, 0, -1, 1, 0], [4, 2]))
    #expect(try pool.nearest(to: images)?.floats() == [1, 0, 0, 1, 0, 1])
  }

  private static func options(matchEvery: Int = 2) -> RoCLIPOptions {
    var options = RoCLIPOptions()
    options.matchEvery = matchEvery
    options.poolFraction = 0.5
    return options
  }

  private static func recipe(
    _ model: CLIPModel, matchEvery: Int = 2
  ) throws(CLIPError) -> RoCLIPRecipe {
    try RoCLIPRecipe(model, options: options(matchEvery: matchEvery), pairs: 14)
  }

  /// A step of a batch, as the trainer makes it but for the update itself.
  private static func step(
    _ recipe: RoCLIPRecipe, _ rows: [Int], epoch: Int
  ) throws -> (losses: StepLosses, text: Float) {
    recipe.willStep(0, epoch: epoch)
    for parameter in recipe.parameters { parameter.gradient = nil }
    let losses = try recipe.accumulateGradients(try TinyRun.batch(rows), Pass())
    let text = recipe.parameters.filter { $0.name == "text_projection" }
      .flatMap { $0.gradient?.floats() ?? [] }
    recipe.didUpdate()
    return (losses, text.reduce(0) { max($0, abs($1)) })
  }

  /// In a matching epoch the loss is that of the nearest captions of the step before, and the text tower
  /// has no gradient; in the others it is that of the augmented pairs.
  @Test func matchingTakesTheNearestCaptions() throws {
    let model = try TinyRun.model()
    let recipe = try Self.recipe(model)
    func features(_ rows: [Int]) throws -> (images: Tensor, texts: Tensor) {
      let batch = try TinyRun.batch(rows)
      let tape = Tape(isTraining: true, isRecording: false)
      let images = try tape.normalize(try model.imageFeatures(tape, Variable(batch.pixels)))
      let texts = try tape.normalize(try model.textFeatures(tape, batch.tokens))
      let augmented = rows.count..<2 * rows.count
      return (images.value.slice(augmented), texts.value.slice(augmented))
    }
    let (first, second) = (try features([0, 1, 2, 3]), try features([4, 5, 6]))
    func loss(_ images: Tensor, _ texts: Tensor) throws -> Double {
      try CleanCLIPLoss(clipWeight: 1, inmodalWeight: 0).evaluate(
        imageFeatures: images, textFeatures: texts, logitScale: model.logitScale.value.f32[0]
      ).loss
    }
    let own = try Self.step(recipe, [0, 1, 2, 3], epoch: 0)
    #expect(abs(own.losses.loss - (try loss(first.images, first.texts))) < 1e-5)
    #expect(own.text > 0)
    let matches = try Tensor(second.images.shape)
    let width = matches.shape[1]
    for row in 0..<3 {
      let cosines = (0..<4).map { caption in
        (0..<width).reduce(Float(0)) {
          $0 + second.images.f32[row * width + $1] * first.texts.f32[caption * width + $1]
        }
      }
      let best = try #require(cosines.indices.max { cosines[$0] < cosines[$1] })
      for k in 0..<width { matches.f32[row * width + k] = first.texts.f32[best * width + k] }
    }
    let matched = try Self.step(recipe, [4, 5, 6], epoch: 1)
    #expect(abs(matched.losses.loss - (try loss(second.images, matches))) < 1e-5)
    #expect(matched.text == 0)
  }

  /// A pass without an update, such as one that measures memory, leaves the pool alone.
  @Test func captionsEnterThePoolWithTheUpdate() throws {
    let recipe = try Self.recipe(try TinyRun.model())
    func pool() -> [Float] {
      recipe.state.first { $0.name == "pool.features" }?.tensor.floats() ?? []
    }
    _ = try recipe.accumulateGradients(try TinyRun.batch([0, 1, 2]), Pass())
    #expect(pool().allSatisfy { $0 == 0 } && pool().count == 7 * 6)
    recipe.didUpdate()
    #expect(pool().contains { $0 != 0 })
  }

  private static func trainer(
    _ model: CLIPModel, matchEvery: Int = 2, _ change: (inout TrainingOptions) -> Void = { _ in }
  ) throws -> Trainer {
    var options = TinyRun.options(epochs: 4)
    change(&options)
    return try Trainer(
      try recipe(model, matchEvery: matchEvery), source: TinyRun.source(), options: options,
      settings: ["match_every": "\(matchEvery)"])
  }

  /// The pool is part of the state: a run that ends in the middle of a matching epoch goes on as it would have.
  @Test(arguments: [1, 2])
  func resumingGivesTheSameWeights(matchEvery: Int) throws {
    try expectResumingGivesTheSameWeights(after: 5) {
      try Self.trainer($0, matchEvery: matchEvery, $1)
    }
  }

  @Test func howOftenImagesAreMatchedChangesTheModel() throws {
    let (often, never) = (try TinyRun.model(), try TinyRun.model())
    _ = try Self.trainer(often, matchEvery: 1).run()
    _ = try Self.trainer(never, matchEvery: 9).run()
    #expect(often.bits != never.bits)
  }

  @Test func optionsAreChecked() throws {
    var options = SanitizeOptions(try SanitizeMethod.named("roclip"))
    options.roclip.poolFraction = 0
    expectError(containing: "pool_fraction is out of range; expected more than 0, at most 1") {
      try options.validate()
    }
    var other = SanitizeOptions()
    other.roclip.matchEvery = 3
    expectError(containing: "match_every has no effect with method cleanclip") {
      try other.validate()
    }
    expectError(containing: "roclip: the model has one tower only") {
      _ = try Self.recipe(try tinyModel(vocabularySize: nil))
    }
  }
}
