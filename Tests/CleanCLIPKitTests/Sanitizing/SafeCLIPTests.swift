import CleanCLIPKit
import Testing

@Suite struct SafeCLIPTests {
  /// 190 cosines around 0.6 and 10 around 0.1: the first split finds which are which, a later one takes the
  /// highest, one in a hundred more.
  @Test func splitFindsWhatWasDrawn() throws {
    let split = try SafeSplit(pairs: 200, safeProbability: 0.9)
    var random = RandomNumbers(seed: 8)
    var cosines: [Float] = []
    for row in 0..<200 {
      cosines.append((row % 20 == 7 ? 0.1 : 0.6) + 0.05 * random.normal())
      split.add(cosines[row], of: row)
    }
    #expect(split.splits == 0 && split.safeCount == 0)
    try split.split()
    #expect(split.splits == 1)
    for row in 0..<200 { #expect(split.isSafe(row) == (row % 20 != 7)) }
    // More than 85 % were safe at once: the fraction stays, and follows the cosines.
    split.add(0.9, of: 7)
    split.add(0.2, of: 8)
    try split.split()
    #expect(split.safeCount == 190 && split.isSafe(7) && !split.isSafe(8))
  }

  @Test func theSafeSetGrows() throws {
    let split = try SafeSplit(pairs: 100, safeProbability: 0.9)
    var random = RandomNumbers(seed: 9)
    // Half agree; ten were never seen.
    for row in 0..<90 { split.add((row < 50 ? 0.7 : 0.2) + 0.03 * random.normal(), of: row) }
    try split.split()
    #expect(split.safeCount == 50)
    for more in 1...3 {
      try split.split()
      #expect(split.safeCount == 50 + more)
    }
    for _ in 4...60 { try split.split() }
    #expect(split.safeCount == 85)
    for row in 90..<100 { #expect(!split.isSafe(row)) }
  }

  @Test func aSplitNeedsCosines() throws {
    let split = try SafeSplit(pairs: 10, safeProbability: 0.9)
    expectError(containing: "mixture: the values cannot be fitted; expected at least 4") {
      try split.split()
    }
  }

  private static func features(_ rows: Int, seed: UInt64) throws -> Tensor {
    let result = try randomTensor([rows, 5], seed: seed)
    for row in 0..<rows {
      let own = result.f32 + row * 5
      let norm = (0..<5).reduce(Float(0)) { $0 + own[$1] * own[$1] }.squareRoot()
      for k in 0..<5 { own[k] /= norm }
    }
    return result
  }

  private static func rows(_ tensor: Tensor, _ numbers: [Int]) throws -> Tensor {
    try Tensor(
      numbers.flatMap { row in (0..<5).map { tensor.f32[row * 5 + $0] } }, [numbers.count, 5])
  }

  /// Pairs 0 and 3 are safe, 1 and 2 risky: each part has the loss that it has by itself.
  @Test func lossesOfThePartsAddUp() throws {
    let (images, texts) = (try Self.features(8, seed: 1), try Self.features(8, seed: 2))
    func evaluate() throws -> CleanCLIPLoss.Result {
      try SafeCLIPLoss.evaluate(
        imageFeatures: images, textFeatures: texts, isSafe: [true, false, false, true],
        logitScale: 0.7)
    }
    let result = try evaluate()
    let safe = try CleanCLIPLoss(clipWeight: 1, inmodalWeight: 0).evaluate(
      imageFeatures: try Self.rows(images, [0, 3]), textFeatures: try Self.rows(texts, [0, 3]),
      logitScale: 0.7)
    let risky = try CleanCLIPLoss(clipWeight: 0, inmodalWeight: 1).evaluate(
      imageFeatures: try Self.rows(images, [1, 2, 5, 6]),
      textFeatures: try Self.rows(texts, [1, 2, 5, 6]), logitScale: 0.7)
    #expect(abs(result.crossmodalLoss - safe.loss) < 1e-6)
    #expect(abs(result.inmodalLoss - risky.loss) < 1e-6)
    #expect(abs(result.loss - safe.loss - risky.loss) < 1e-6)
    #expect(
      abs(result.logitScaleGradient - safe.logitScaleGradient - risky.logitScaleGradient) < 1e-6)
    // 1e-7 of rounding over a step of 2e-3.
    for (tensor, gradient) in [(images, result.imageGradient), (texts, result.textGradient)] {
      try expectGradient(gradient, by: tensor, within: 1e-3) { try evaluate().loss }
    }
    expectError(containing: "safeclip loss: features do not fit; expected two rows for each of 3") {
      _ = try SafeCLIPLoss.evaluate(
        imageFeatures: images, textFeatures: texts, isSafe: [true, true, true], logitScale: 0)
    }
  }

  private static func trainer(
    _ model: CLIPModel, _ change: (inout TrainingOptions) -> Void = { _ in }
  ) throws -> (trainer: Trainer, recipe: SafeCLIPRecipe) {
    var own = SafeCLIPOptions()
    own.inmodalEpochs = 1
    own.safeProbability = 0.5
    var options = TinyRun.options(epochs: 5)
    change(&options)
    let recipe = try SafeCLIPRecipe(model, options: own, pairs: 14)
    return (try Trainer(recipe, source: TinyRun.source(), options: options), recipe)
  }

  /// One epoch inside the modalities, one of pairs at a hundredth of the rate, then both.
  @Test func phasesFollowEachOther() throws {
    let model = try TinyRun.model()
    let (trainer, recipe) = try Self.trainer(model)
    var steps: [TrainingProgress] = []
    _ = try trainer.run { step in
      steps.append(step)
      return true
    }
    let epochs = (1...5).map { epoch in steps.filter { $0.epoch == epoch } }
    #expect(epochs[0].allSatisfy { $0.losses.crossmodalLoss == 0 && $0.losses.inmodalLoss > 0 })
    #expect(epochs[1].allSatisfy { $0.losses.crossmodalLoss > 0 && $0.losses.inmodalLoss == 0 })
    #expect(epochs[1].allSatisfy { $0.learningRate < 0.02 * epochs[0][2].learningRate })
    #expect(epochs[2].contains { $0.losses.crossmodalLoss > 0 })
    #expect(epochs[2].contains { $0.losses.inmodalLoss > 0 })
    #expect(epochs[2][0].learningRate > 10 * epochs[1][0].learningRate)
    #expect((1..<14).contains(recipe.safePairs))
  }

  /// Cosines and split are part of the state: a run goes on in the middle of a divided epoch as it would have.
  @Test(arguments: [2, 5, 8, 10])
  func resumingGivesTheSameWeights(steps: Int) throws {
    try expectResumingGivesTheSameWeights(after: steps) { try Self.trainer($0, $1).trainer }
  }

  @Test func optionsAreChecked() throws {
    var options = SanitizeOptions(try SanitizeMethod.named("safeclip"))
    options.safeclip.safeProbability = 1.5
    expectError(containing: "safe_probability is out of range; expected more than 0, at most 1") {
      try options.validate()
    }
    var other = SanitizeOptions()
    other.safeclip.inmodalEpochs = 3
    expectError(containing: "inmodal_epochs has no effect with method cleanclip") {
      try other.validate()
    }
  }
}
