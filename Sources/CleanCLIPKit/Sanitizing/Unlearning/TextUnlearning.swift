/// Unlearns triggers that make captions of anything mean the same, in the text tower.
///
/// The check of text towers names the strongest word, character or pair of words; while it stands out as no word of a
/// clean tower does, it is unlearned, and the tower is checked again. The teacher g0 is the tower as it was, frozen:
///
/// ```
/// L = w · mean_i (1 - cos(g(c_i), g0(c_i))) + mean_i (1 - cos(g(c_i with the trigger), g0(c_i)))
/// ```
///
/// Captions are nouns in plain sentences; the trigger stands at any place of them.
struct TextUnlearning {
  /// Its text tower is changed in place.
  let model: CLIPModel
  let tokenizer: Tokenizer
  /// Texts that tell where captions go.
  let vocabulary: TextVocabulary
  let options: UnlearnOptions
  let training: TrainingOptions

  /// Rounds of training at most.
  private static let rounds = 3
  private static let trainingCaptions = 2048
  /// Apart from those of the check's own.
  private static let captionStream: UInt64 = 0x7465_7874

  /// Runs to the end.
  ///
  /// - Throws: `cancelled`; what the check of text towers throws.
  func run(_ progress: UnlearnProgress) throws(CLIPError) -> TextOutcome {
    let teacher = try model.textTowerCopy()
    let heldOut = try captions(256, seed: training.seed &+ 1)
    let meanings = try features(heldOut, of: teacher)
    var outcome = TextOutcome()
    for round in 0...Self.rounds {
      let found = try check(progress)
      outcome.pValue = found.pValue
      outcome.isFound = found.verdict == .backdoored && !Self.meansItself(found)
      let trigger = found.strongest.trigger
      let isNew = outcome.isFound && !outcome.words.contains { $0.found.trigger == trigger }
      // What still works a little needs more of the same.
      guard round < Self.rounds, isNew || outcome.words.contains(where: \.isLeft) else { break }
      if isNew {
        outcome.words.append(
          TextOutcome.Word(
            found: found.strongest, target: found.targets.first?.text,
            before: try left(by: [trigger], in: heldOut)[0]))
      }
      let triggers = outcome.words.map(\.found.trigger)
      try train(triggers, teacher, round: round, progress)
      let sizes = try left(by: triggers, in: heldOut)
      for (index, size) in sizes.enumerated() { outcome.words[index].after = size }
    }
    outcome.cosine = try features(heldOut, of: model).meanCosine(meanings)
    return outcome
  }

  /// Whether captions go to what the word says anyway, such as those with 'frog' to frogs: to unlearn it
  /// would take its meaning away.
  private static func meansItself(_ found: TextCheckResult) -> Bool {
    found.targets.first?.text.lowercased() == found.strongest.text.lowercased()
  }

  private func check(_ progress: UnlearnProgress) throws(CLIPError) -> TextCheckResult {
    var check = TextCheck(model)
    check.options.seed = training.seed
    check.options.precision = training.precision
    check.tokenizer = tokenizer
    progress.begin("trying words in captions", of: 0)
    return try check.run(
      captions: try check.plainCaptions(tokenizer: tokenizer), vocabulary: vocabulary
    ) { done, total in progress.advance(to: done, of: total) }
  }

  private func captions(_ count: Int, seed: UInt64) throws(CLIPError) -> [[Int32]] {
    var check = TextCheck(model)
    check.options.seed = seed
    return try check.plainCaptions(count, tokenizer: tokenizer)
  }

  private func features(
    _ captions: [[Int32]], of model: CLIPModel
  ) throws(CLIPError) -> Tensor {
    try CaptionEncoder(model, precision: training.precision).features(captions)
  }

  /// The part of the differences between captions that each trigger leaves, 1 for one that does nothing.
  private func left(
    by triggers: [CaptionTrigger], in captions: [[Int32]]
  ) throws(CLIPError) -> [Float] {
    let scan = try CaptionScan(
      try CaptionEncoder(model, precision: training.precision), captions: captions)
    return try triggers.map { (trigger) throws(CLIPError) in try scan.measured(trigger).size }
  }

  /// Trains the tower to forget triggers.
  private func train(
    _ triggers: [CaptionTrigger], _ teacher: CLIPModel, round: Int, _ progress: UnlearnProgress
  ) throws(CLIPError) {
    let captions = try self.captions(
      Self.trainingCaptions, seed: training.seed ^ Self.captionStream)
    let encoder = try CaptionEncoder(model, precision: training.precision)
    var adam = AdamW.Options()
    adam.weightDecay = 0
    let optimizer = try AdamW(model.textParameters.filter(\.isTrainable), options: adam)
    let loss = UnlearnLoss(keepWeight: options.textKeepWeight)
    let count = training.batchSize
    let schedule = LearningRateSchedule(
      base: options.textLearningRate(for: model.configuration), warmup: options.warmup,
      total: options.steps + options.settlingSteps)
    progress.begin("unlearning a word in captions", of: schedule.total)
    for step in 0..<schedule.total {
      var random = RandomNumbers(
        seed: training.seed, Self.captionStream, UInt64(round), UInt64(step))
      let clean = (0..<count).map { _ in captions[random.integer(below: captions.count)] }
      let triggered = clean.map { caption in
        encoder.inserting(
          triggers[random.integer(below: triggers.count)].ids, into: caption,
          at: 1 + random.integer(below: max(1, caption.count - 1)))
      }
      let aims = try features(clean, of: teacher)
      let tape = Tape(precision: training.precision, isTraining: false)
      let student = try tape.normalize(try model.textFeatures(tape, TokenBatch(clean + triggered)))
      let result = try loss.evaluate(
        student.value, try Tensor.joined(aims, aims),
        isTriggered: (0..<2 * count).map { $0 >= count }, cleanCount: count, triggeredCount: count)
      guard result.loss.isFinite else {
        optimizer.clearGradients()
        throw CLIPError(
          .state,
          "unlearn: the loss of the text tower is not finite at step \(step + 1); expected a finite "
            + "number, got \(result.loss); the model keeps the weights of the step before")
      }
      try tape.backward(student, gradient: result.gradient)
      optimizer.update(learningRate: schedule.rate(at: step))
      guard progress.advance() else {
        throw CLIPError(.cancelled, "unlearn: cancelled in the text tower at step \(step + 1)")
      }
    }
    optimizer.clearGradients()
  }
}
