import CleanCLIPKit
import Glibc
import Testing

@Suite struct UnlearnLossTests {
  @Test func lossAndGradientEqualAHandComputedCase() throws {
    // Cosines 0.6, 1, 0, 0.8 of two images without and two with a trigger.
    let teacher = try tensor([1, 0, 0, 1, 1, 0, 0, 1], [4, 2])
    let student = try tensor([0.6, 0.8, 0, 1, 0, 1, 0.6, 0.8], [4, 2])
    let result = try UnlearnLoss(keepWeight: 2).evaluate(
      student, teacher, isTriggered: [false, false, true, true], cleanCount: 2, triggeredCount: 2)
    #expect(abs(result.kept - 0.2) < 1e-6)
    #expect(abs(result.triggered - 0.6) < 1e-6)
    #expect(abs(result.loss - 1) < 1e-6)
    expectClose(result.gradient.floats(), [-1, 0, 0, -1, -0.5, 0, 0, -0.5], rtol: 1e-6, atol: 0)
  }

  @Test func imagesThatAreReadAsTheTargetCountOnceMore() throws {
    // Texts (1, 0) and (0, 1), the latter the target: margins of 0.2 and -0.02 with a trigger; one image is of the
    // target without it; one has no trigger.
    let texts = try TextVocabulary(names: ["a", "b"], features: try tensor([1, 0, 0, 1], [2, 2]))
    let near: (Float, Float) = (0.717037, 0.697037)
    let teacher = try tensor([1, 0, 1, 0, 1, 0, 0, 1], [4, 2])
    let student = try tensor([0.6, 0.8, 0.6, 0.8, near.0, near.1, 0.6, 0.8], [4, 2])
    let loss = UnlearnLoss(keepWeight: 2, targetWeight: 3, texts: texts)
    let result = try loss.evaluate(
      student, teacher, isTriggered: [false, true, true, true], targets: [nil, 1, 1, 1],
      cleanCount: 1, triggeredCount: 3)
    #expect(abs(result.kept - 0.4) < 1e-6)
    let cosines = 0.4 + Double(1 - near.0) + 0.2
    #expect(abs(result.triggered - (cosines + 3 * (0.25 + 0.03)) / 3) < 1e-5)
    #expect(abs(result.loss - 2 * result.kept - result.triggered) < 1e-12)
    expectClose(
      result.gradient.floats(), [-2, 0, -4.0 / 3, 1, -4.0 / 3, 1, 0, -1.0 / 3], rtol: 1e-6,
      atol: 1e-6)
    // Where no target is known, features alone count.
    let unknown = try loss.evaluate(
      student, teacher, isTriggered: [false, true, true, true], targets: [nil, nil, nil, nil],
      cleanCount: 1, triggeredCount: 3)
    #expect(abs(unknown.triggered - cosines / 3) < 1e-5)
  }

  /// The gradient is with respect to the features as they are given, of length 1 or not.
  @Test func imagesWithoutATriggerAreReadAsBefore() throws {
    let texts = try TextVocabulary(
      names: ["a", "b", "c"], features: try tensor([1, 0, 0, 1, 0.6, 0.8], [3, 2]))
    let teacher = try tensor([0.8, 0.6, 0.8, 0.6], [2, 2])
    let values: [Float] = [0.7, 0.7141428, 0.6, 0.8]
    let loss = UnlearnLoss(keepWeight: 2, readingWeight: 0.5, texts: texts)
    func evaluated(_ values: [Float]) throws -> UnlearnLoss.Result {
      try loss.evaluate(
        try tensor(values, [2, 2]), teacher, isTriggered: [false, true], cleanCount: 1,
        triggeredCount: 1)
    }
    // Logits 40, 30, 48 of before and 35, 35.70714, 49.565712 now, by hand.
    let result = try evaluated(values)
    let before = [40.0, 30, 48], now = [35, 35.70714, 49.565712]
    func logs(_ logits: [Double]) -> [Double] {
      logits.map { logit in logit - log(logits.reduce(0) { $0 + exp($1) }) }
    }
    let divergence = zip(logs(before), logs(now)).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
    let cosine = 0.8 * 0.7 + 0.6 * 0.7141428
    #expect(abs(result.kept - (1 - cosine + 0.5 * divergence)) < 1e-5)
    // An image with a trigger is not held to it.
    #expect(abs(result.triggered - (1 - 0.96)) < 1e-6)
    for index in 0..<2 {
      let step: Float = 1e-3
      var (up, down) = (values, values)
      up[index] += step
      down[index] -= step
      let slope = (try evaluated(up).loss - (try evaluated(down).loss)) / Double(2 * step)
      #expect(abs(Double(result.gradient.f32[index]) - slope) < 1e-3)
    }
  }

  @Test func partsOfABatchAddUpToTheWhole() throws {
    let teacher = try tensor([1, 0, 0, 1], [2, 2])
    let student = try tensor([0.6, 0.8, 0.8, 0.6], [2, 2])
    let loss = UnlearnLoss(keepWeight: 3)
    let whole = try loss.evaluate(
      student, teacher, isTriggered: [false, true], cleanCount: 1, triggeredCount: 1)
    var sum = 0.0
    for row in 0..<2 {
      sum +=
        try loss.evaluate(
          student.slice(row..<row + 1), teacher.slice(row..<row + 1), isTriggered: [row == 1],
          cleanCount: 1, triggeredCount: 1
        ).loss
    }
    #expect(abs(whole.loss - sum) < 1e-6)
  }
}

@Suite struct LearnedTriggerTests {
  /// dLoss/dValues of loss = Σ output · weights against central differences.
  private func expectGradient(_ trigger: any LearnedTrigger, side: Int) throws {
    let images = try Tensor(
      randomFloats(2 * 3 * side * side, seed: 5).map { 0.5 + 0.2 * max(-1, min(1, $0)) },
      Shape([2, 3, side, side]))
    let weights = try randomTensor(images.shape, seed: 6)
    var random = RandomNumbers(seed: 7)
    trigger.vary(strength: 0.8, using: &random)
    func loss() throws -> Double {
      let output = try Tensor(images.shape)
      try trigger.apply(to: images, into: output)
      return (0..<output.count).reduce(0) { $0 + Double(output.f32[$1] * weights.f32[$1]) }
    }
    let gradient = try Tensor.zeros(trigger.values.shape)
    trigger.pullBack(weights, images: images, into: gradient)
    let count = trigger.values.count
    for index in Set([0, 1, 2, 5, count / 2, count - 1]) where index < count {
      let value = trigger.values.f32[index]
      trigger.values.f32[index] = value + 1e-3
      let above = try loss()
      trigger.values.f32[index] = value - 1e-3
      let below = try loss()
      trigger.values.f32[index] = value
      // Sums of 96 single-precision products: 1e-5 of them, divided by the step of 2e-3.
      let difference = (above - below) / 2e-3
      #expect(abs(difference - Double(gradient.f32[index])) < 0.02 + 0.02 * abs(difference))
    }
  }

  @Test func gradientsMatchFiniteDifferences() throws {
    var random = RandomNumbers(seed: 1)
    let blend = try MaskedTrigger.blend(imageSize: 8, share: 0.2, random: &random)
    for i in 0..<blend.values.count { blend.values.f32[i] = 0.3 + 0.4 * random.uniform() }
    try expectGradient(blend, side: 8)
    try expectGradient(
      try PatternTrigger(imageSize: 8, bound: 24 / 255, random: &random), side: 8)
    try expectGradient(
      WaveTrigger(
        values: try tensor([1.5, 2, 0.3, 0.4, 0.5, 0.9, 1, 1.1], [8]), side: 8,
        amplitude: 16 / 255), side: 8)
  }

  @Test func aStampStaysInsideAndChangesASquareOnly() throws {
    var random = RandomNumbers(seed: 3)
    let stamp = try MaskedTrigger.stamp(imageSize: 20, random: &random)
    let images = try Tensor(Array(repeating: Float(2), count: 3 * 400), [1, 3, 20, 20])
    for _ in 0..<50 {
      stamp.vary(strength: 1, using: &random)
      let output = try Tensor(images.shape)
      try stamp.apply(to: images, into: output)
      let changed = (0..<400).filter { output.f32[$0] != 2 }
      let rows = Set(changed.map { $0 / 20 })
      let columns = Set(changed.map { $0 % 20 })
      #expect(rows.count == columns.count && rows.count * columns.count == changed.count)
      #expect((2...3).contains(rows.count))
    }
  }

  @Test func strengthsInterpolate() throws {
    var random = RandomNumbers(seed: 3)
    let blend = try MaskedTrigger.blend(imageSize: 4, share: 0.5, random: &random)
    let images = try Tensor.zeros([1, 3, 4, 4])
    func applied(_ strength: Float) throws -> [Float] {
      let output = try Tensor(images.shape)
      blend.vary(strength: strength, using: &random)
      try blend.apply(to: images, into: output)
      return output.floats()
    }
    expectClose(try applied(0.5), try applied(1).map { $0 / 2 }, rtol: 1e-6, atol: 1e-7)
  }
}

@Suite struct UnlearnRunTests {
  /// Noise images, which a tiny tower tells apart.
  static func dataset(_ count: Int, side: Int) throws -> PairDataset {
    try PairDataset(
      (0..<count).map { index in
        var random = RandomNumbers(seed: 9, UInt64(index))
        var image = RGBImage(width: side, height: side)
        for i in image.pixels.indices { image.pixels[i] = UInt8(random.integer(below: 256)) }
        return CaptionedImage(key: "\(index)", image: .pixels(image), caption: "")
      })
  }

  static func options() throws -> SanitizeOptions {
    var options = SanitizeOptions(try SanitizeMethod.named("unlearn"))
    options.training.batchSize = 8
    options.unlearn.search.steps = 4
    options.unlearn.recoverySteps = 2
    options.unlearn.renewalSteps = 2
    options.unlearn.steps = 4
    options.unlearn.settlingSteps = 2
    options.unlearn.renewEvery = 2
    options.unlearn.rounds = 1
    return options
  }

  @Test func aModelWithoutATriggerIsNotChanged() throws {
    let model = try tinyModel(vocabularySize: nil)
    let before = model.stateDict().map { $0.tensor.floats() }
    let sanitizer = try Sanitizer(
      model, tokenizer: nil, dataset: try Self.dataset(64, side: 32), options: try Self.options())
    try sanitizer.run()
    #expect(sanitizer.history.verdict == .nothingFound)
    #expect(sanitizer.history.outcome["verdict"] == .string("nothing_found"))
    #expect(model.stateDict().map { $0.tensor.floats() } == before)
  }

  /// An image in the place of every other: all are the same with it, whatever the model.
  static func everything() throws -> Trigger {
    var random = RandomNumbers(seed: 4)
    let blend = try MaskedTrigger.blend(imageSize: 32, share: 1, random: &random)
    return Trigger(recovered: try #require(blend.snapshot()))
  }

  @Test func givenTriggersAreUnlearnedRepeatably() throws {
    func run() throws -> ([[Float]], SanitizeHistory) {
      let model = try tinyModel(vocabularySize: nil)
      var options = try Self.options()
      options.unlearn.triggers = [try Self.everything()]
      let sanitizer = try Sanitizer(
        model, tokenizer: nil, dataset: try Self.dataset(64, side: 32), options: options)
      try sanitizer.run()
      return (model.stateDict().map { $0.tensor.floats() }, sanitizer.history)
    }
    let (first, history) = try run()
    let (second, _) = try run()
    #expect(first == second)
    #expect(history.steps.count == 6)
    #expect(history.verdict != nil && history.verdict != .nothingFound)
    guard case .array(let triggers) = history.outcome["triggers"],
      case .object(let trigger) = triggers.first
    else {
      Issue.record("the outcome has the trigger")
      return
    }
    // The whole image is replaced: every image that was not in the target's group is now.
    #expect(trigger["attack_success_rate_before"] == .number(1))
    #expect(trigger["attack_success_rate_after"] != nil && trigger["base_rate"] != nil)
  }

  @Test func optionsWithoutEffectAreRefused() throws {
    var options = SanitizeOptions()
    options.unlearn.classes = ["a", "b", "c", "d"]
    let others = options
    expectError(containing: "classes have no effect with method cleanclip") {
      try others.validate()
    }
    options = try Self.options()
    options.unlearn.classes = ["a", "b", "a", "b", "c"]
    let few = options
    expectError(containing: "classes are too few; expected none or at least 4") {
      try few.validate()
    }
    options.unlearn.classes = []
    options.unlearn.templates = ["{}"]
    let templates = options
    expectError(containing: "templates have no effect without classes") {
      try templates.validate()
    }
    options = try Self.options()
    options.unlearn.classes = ["a", "b", "c", "d"]
    let alone = options
    expectError(containing: "class names and words in captions need a text tower and its tokenizer")
    {
      _ = try Sanitizer(
        try tinyModel(vocabularySize: nil), tokenizer: nil,
        dataset: try Self.dataset(40, side: 32), options: alone)
    }
  }

  @Test func imagesThatAreAllAlikeAreNoAllClear() throws {
    let image = RGBImage(width: 32, height: 32)
    let same = try PairDataset(
      (0..<64).map { CaptionedImage(key: "\($0)", image: .pixels(image), caption: "") })
    expectError(containing: "too much alike; expected at least 4 groups of images to compare") {
      try Sanitizer(
        try tinyModel(vocabularySize: nil), tokenizer: nil, dataset: same,
        options: try Self.options()
      ).run()
    }
  }

  /// A suspect's class may be what every image is classified as: there is nobody to lead to it then.
  @Test func suspectsOfTheClassOfEverythingAreUnlearned() throws {
    let folder = TemporaryFolder()
    let dataset = try Self.dataset(64, side: 32)
    let list = folder.file("rows.suspects")
    try AtomicFile.write(
      (0..<3).map { RowList.line(row: $0, key: dataset.key(at: $0)) }.joined(), to: list)
    let model = try tinyModel(vocabularySize: nil)
    var options = try Self.options()
    options.cleaningSet.suspects = list
    options.unlearn.classes = ["a", "b", "c", "d", "e"]
    // All but one class stand on the other side of what images mean.
    let features = try Tensor.zeros([5, 24])
    let mean = try meanFeature(of: model, dataset)
    for row in 0..<5 {
      for k in 0..<24 {
        features.f32[24 * row + k] =
          (row == 0 ? 1 : -1) * mean[k] + (row == 0 || k != row ? 0 : 0.5)
      }
    }
    options.unlearn.classFeatures = features
    options.unlearn.triggers = [try Self.everything()]
    let sanitizer = try Sanitizer(model, tokenizer: nil, dataset: dataset, options: options)
    try sanitizer.run()
    #expect(sanitizer.history.outcome["suspect_images"]?["target"]?.string == "a")
    #expect(sanitizer.history.verdict != nil)
  }

  @Test func aRunThatIsCancelledEarlyTellsNothing() throws {
    let sanitizer = try Sanitizer(
      try tinyModel(vocabularySize: nil), tokenizer: nil,
      dataset: try Self.dataset(64, side: 32), options: try Self.options())
    var calls = 0
    let error = #expect(throws: CLIPError.self) {
      try sanitizer.run { _ in
        calls += 1
        // 64 images are read first.
        return calls < 66
      }
    }
    #expect(error?.code == .cancelled)
    #expect(sanitizer.history.verdict == nil && sanitizer.history.outcome["searches"] == nil)
  }

  @Test func tooFewImagesAndForeignTriggersAreRefused() throws {
    expectError(containing: "unlearn: there are too few images") {
      try Sanitizer(
        try tinyModel(vocabularySize: nil), tokenizer: nil,
        dataset: try Self.dataset(10, side: 32), options: try Self.options()
      ).run()
    }
    var options = try Self.options()
    var random = RandomNumbers(seed: 2)
    let small = try MaskedTrigger.stamp(imageSize: 16, random: &random)
    options.unlearn.triggers = [Trigger(recovered: try #require(small.snapshot()))]
    let foreign = options
    expectError(containing: "was recovered for images of another size") {
      _ = try Sanitizer(
        try tinyModel(vocabularySize: nil), tokenizer: nil,
        dataset: try Self.dataset(40, side: 32), options: foreign)
    }
  }
}

@Suite struct TriggerAimTests {
  /// Two texts at right angles, and features between them.
  private func aim() throws -> TriggerAim {
    let texts = try TextVocabulary(names: ["a", "b"], features: try tensor([1, 0, 0, 1], [2, 2]))
    return TriggerAim(target: 0, vocabulary: texts)
  }

  @Test func lossAndGradientEqualAHandComputedCase() throws {
    // Equal cosines: -log ½, and gradient ½ · 20 · (½ - 1, ½) for each of two rows.
    let half = Float(0.5).squareRoot()
    let (value, gradient) = try aim().loss(try tensor([half, half, half, half], [2, 2]))
    #expect(abs(value - 0.693147) < 1e-5)
    expectClose(gradient.floats(), [-5, 5, -5, 5], rtol: 1e-5, atol: 0)
  }

  @Test func imagesOfTheTargetAreNoSuccesses() throws {
    let features = try tensor([1, 0, 1, 0, 0, 1], [3, 2])
    #expect(try aim().successes(features, before: [0, 1, 1]) == Proportion(1, of: 2))
  }
}

@Suite struct SphericalMeansTests {
  @Test func groupsThatLieApartAreFound() throws {
    var rows: [Float] = []
    for row in 0..<30 {
      var values = randomFloats(6, seed: UInt64(row)).map { 0.05 * $0 }
      values[row % 3] += 1
      rows += values
    }
    let groups = try SphericalMeans(try tensor(rows, [30, 6]), count: 3, seed: 0)
    #expect(groups.sizes.sorted() == [10, 10, 10])
    for group in 0..<3 {
      let centre = groups.centres.floats()[6 * group..<6 * group + 6]
      #expect((centre.max() ?? 0) > 0.7)
    }
  }

  @Test func equalRowsAreOneGroup() throws {
    let groups = try SphericalMeans(
      try tensor([Float](repeating: 0.5, count: 40), [10, 4]), count: 3, seed: 0)
    #expect(groups.sizes == [10])
  }
}

/// What a dataset's images mean together, L2-normalized.
private func meanFeature(of model: CLIPModel, _ dataset: PairDataset) throws -> [Float] {
  let encoder = FeatureEncoder(model)
  let width = encoder.embedDim
  let rows = try Tensor([dataset.count, width])
  let images = try (0..<dataset.count).map { try dataset.row(at: $0).decoded().image }
  try encoder.images(count: images.count, into: rows.f32) { images[$0] }
  var mean = [Float](repeating: 0, count: width)
  for row in 0..<images.count {
    for k in 0..<width { mean[k] += rows.f32[row * width + k] }
  }
  let norm = mean.reduce(0) { $0 + $1 * $1 }.squareRoot()
  return mean.map { $0 / norm }
}
