/// Whether a backdoor that was unlearned comes back when the model is trained further.
///
/// Two tests on copies, after *Uncovering, Explaining, and Mitigating the Superficial Safety of Backdoor
/// Defense* (Min et al. 2024, arXiv:2410.09838): benign training, and retuning with a few images that carry a
/// recovered trigger. A trigger of the same numbers in another order, which the model never met, is retuned beside
/// it. The verdict is drawn from the benign training alone: a recovered trigger was optimized towards its target, and has
/// a head start over a shuffled one on clean models too.
struct UnlearnPersistence {
  /// The image tower that was sanitized.
  let model: CLIPModel
  let setting: UnlearnSetting

  /// What was measured.
  struct Result {
    /// Steps and learning rate of the benign training.
    let steps: Int
    let learningRate: Float
    /// The triggers after it.
    let benign: [TriggerEvidence]
    /// After retuning.
    let retuned: [Retuned]
  }

  /// One retuning.
  struct Retuned {
    /// Images with a trigger.
    let pairs: Int
    let steps: Int
    /// Images turned into the target: by the recovered trigger, by a new one, and by none.
    let old: Proportion
    let new: Proportion
    let base: Proportion
  }

  /// Images with a trigger, and steps, of the retunings.
  private static let pairs = [5, 16]
  private static let retuningSteps = 20
  /// Of the learning rate of unlearning.
  private static let rate: Float = 0.5
  private static let batchSize = 32

  /// Trains copies and measures triggers on them.
  func measured(
    _ triggers: [TriggerEvidence], progress: UnlearnProgress
  ) throws(CLIPError) -> Result? {
    guard let strongest = triggers.max(by: { $0.before.value < $1.before.value }) else {
      return nil
    }
    let steps = setting.options.persistenceSteps
    progress.begin(
      "testing whether it comes back",
      of: steps + 2 * Self.pairs.count * Self.retuningSteps)
    let copy = try model.imageTowerCopy()
    try train(copy, steps: steps, stream: 0, triggered: nil, progress)
    var benign = triggers
    try setting.verification.measure(&benign, on: copy)
    var retuned: [Retuned] = []
    for pairs in Self.pairs {
      retuned.append(try self.retuned(strongest, pairs: pairs, progress))
    }
    return Result(steps: steps, learningRate: learningRate, benign: benign, retuned: retuned)
  }

  private var learningRate: Float {
    Self.rate * setting.options.learningRate(for: model.configuration)
  }

  private func retuned(
    _ evidence: TriggerEvidence, pairs: Int, _ progress: UnlearnProgress
  ) throws(CLIPError) -> Retuned {
    let old = evidence.entry.trigger
    var random = stream(1, UInt64(pairs))
    let new = try old.copy()
    let order = random.permutation(new.values.count)
    let values = old.values.floats()
    for (index, from) in order.enumerated() { new.values.f32[index] = values[from] }
    var rates: [Proportion] = []
    var base = Proportion(0, of: 0)
    for trigger in [old, new] {
      let copy = try model.imageTowerCopy()
      try train(
        copy, steps: Self.retuningSteps, stream: UInt64(pairs),
        triggered: try poisoned(trigger, evidence, pairs), progress)
      rates.append(
        try setting.verification.success(of: trigger, toward: evidence.entry.target, on: copy))
      if trigger === old {
        base = try setting.verification.base(of: evidence.entry.target, on: copy)
      }
    }
    return Retuned(
      pairs: pairs, steps: Self.retuningSteps, old: rates[0], new: rates[1], base: base)
  }

  /// Images to train with that carry a trigger, and what they are trained towards.
  private func poisoned(
    _ trigger: any LearnedTrigger, _ evidence: TriggerEvidence, _ pairs: Int
  ) throws(CLIPError) -> (images: Tensor, aim: TriggerAim) {
    var random = stream(2, UInt64(pairs))
    let clean = try setting.images.batch(pairs, using: &random)
    let images = try Tensor(clean.shape)
    trigger.settle(using: &random)
    try trigger.apply(to: clean, into: images)
    return (images, evidence.aim)
  }

  /// Trains a copy to say of changed images what it says of them unchanged; with poison, also to read
  /// triggered images as their target.
  private func train(
    _ copy: CLIPModel, steps: Int, stream number: UInt64,
    triggered: (images: Tensor, aim: TriggerAim)?, _ progress: UnlearnProgress
  ) throws(CLIPError) {
    var adam = AdamW.Options()
    adam.weightDecay = 0
    let optimizer = try AdamW(copy.imageParameters.filter(\.isTrainable), options: adam)
    let keep = UnlearnLoss(keepWeight: 1)
    let scale = PixelScale(copy.configuration)
    let precision = setting.training.precision
    for step in 0..<steps {
      var random = stream(3 + number, UInt64(step))
      let clean = try setting.images.batch(Self.batchSize, using: &random)
      let meanings = try model.unitFeatures(ofPixels: clean, precision: precision)
      try ImageAugmentation.augment(clean, using: &random)
      let batch = try triggered.map { (poison) throws(CLIPError) in
        try Tensor.joined(clean, poison.images)
      }
      let tape = Tape(precision: precision, isTraining: false)
      let features = try tape.normalize(
        try copy.imageFeatures(tape, Variable(try scale.normalized(batch ?? clean))))
      var gradient = try keep.evaluate(
        features.value.slice(0..<Self.batchSize), meanings,
        isTriggered: [Bool](repeating: false, count: Self.batchSize), cleanCount: Self.batchSize,
        triggeredCount: 0
      ).gradient
      if let triggered {
        let rows = Self.batchSize..<features.value.shape[0]
        let own = try triggered.aim.loss(features.value.slice(rows)).gradient
        // Every image of the batch counts the same: the gradient of an aim is as large as its scale.
        let weight = Float(rows.count) / Float(Self.batchSize) / TriggerAim.scale
        for i in 0..<own.count { own.f32[i] *= weight }
        gradient = try Tensor.joined(gradient, own)
      }
      try tape.backward(features, gradient: gradient)
      optimizer.update(learningRate: learningRate)
      guard progress.advance() else {
        throw CLIPError(.cancelled, "unlearn: cancelled in the test of persistence")
      }
    }
    optimizer.clearGradients()
  }

  private func stream(_ part: UInt64, _ number: UInt64) -> RandomNumbers {
    RandomNumbers(seed: setting.training.seed, 0x7065_7273, part, number)
  }
}

extension UnlearnPersistence.Result {
  /// Attack success above the base rate after benign training, of the trigger that has most.
  var excess: Double { benign.map(\.excess).max() ?? 0 }

  /// Whether benign training brings more back than chance and rounding explain.
  var comesBack: Bool { benign.contains { $0.isLeft && $0.excess > 2 * UnlearnOutcome.tolerance } }

  /// For people.
  var lines: [String] {
    [
      "after \(steps) benign steps: attack success of recovered triggers is at most "
        + "\(percent(excess)) above that without"
    ]
      + retuned.map { entry in
        "after retuning with \(entry.pairs) poisoned images: \(percent(entry.old.value)), a new "
          + "trigger \(percent(entry.new.value)), \(percent(entry.base.value)) without a trigger"
      }
  }

  var json: JSONObject {
    [
      "benign": .object([
        "steps": .integer(steps), "learning_rate": .single(learningRate),
        "largest_excess": .number(excess),
        "triggers": .array(
          benign.map { evidence in
            .object([
              "family": .string(evidence.entry.trigger.family.rawValue),
              "target": .string(evidence.aim.name),
              "attack_success_rate": .number(evidence.after?.value ?? 0),
              "base_rate": .number(evidence.base?.value ?? 0),
            ])
          }),
      ]),
      "retuned": .array(
        retuned.map { entry in
          .object([
            "pairs": .integer(entry.pairs), "steps": .integer(entry.steps),
            "attack_success_rate": .number(entry.old.value),
            "attack_success_rate_interval_95": entry.old.intervalJSON,
            "new_trigger": .number(entry.new.value), "base_rate": .number(entry.base.value),
          ])
        }),
    ]
  }
}
