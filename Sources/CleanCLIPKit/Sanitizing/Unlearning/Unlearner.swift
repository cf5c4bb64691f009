internal import Glibc

/// Trains the image tower of a model to forget triggers.
final class Unlearner {
  let student: CLIPModel
  /// The poisoned model as it was, frozen.
  let teacher: CLIPModel
  let images: UnlearnImages
  let options: UnlearnOptions
  let training: TrainingOptions
  let pool: TriggerPool
  private let optimizer: AdamW
  private let loss: UnlearnLoss
  private let renewal: Renewal
  /// Updates done.
  private(set) var step = 0

  /// Recovers a trigger like another on the student; `nil` when there is none.
  typealias Renewal =
    (TriggerPool.Entry, inout RandomNumbers) throws(CLIPError) -> (any LearnedTrigger)?

  /// Triggers in one batch: live ones, and kept ones.
  private static let liveSlices = 2
  private static let keptSlices = 2

  init(
    student: CLIPModel, teacher: CLIPModel, images: UnlearnImages, pool: TriggerPool,
    options: UnlearnOptions, training: TrainingOptions, renewal: @escaping Renewal
  ) throws(CLIPError) {
    self.student = student
    self.teacher = teacher
    self.images = images
    self.pool = pool
    self.options = options
    self.training = training
    self.renewal = renewal
    loss = UnlearnLoss(keepWeight: options.keepWeight)
    var adam = AdamW.Options()
    adam.weightDecay = 0
    optimizer = try AdamW(student.imageParameters.filter(\.isTrainable), options: adam)
  }

  /// A trigger and the rows of the batch that carry it.
  private struct Part {
    let rows: Range<Int>
    let live: Int?
  }

  /// Does one update.
  ///
  /// - Parameter isLive: whether live triggers take part and are renewed.
  func next(learningRate: Float, isLive: Bool) throws(CLIPError) -> UnlearnLoss.Result {
    var random = RandomNumbers(seed: training.seed, 0x7374_6570, UInt64(step))
    if isLive, step > 0, step % options.renewEvery == 0 {
      try pool.renew(number: step / options.renewEvery - 1) { (old) throws(CLIPError) in
        try renewal(old, &random)
      }
    }
    let clean = try images.batch(training.batchSize, using: &random)
    if images.trainingCount < options.augmentsBelow {
      try ImageAugmentation.augment(clean, using: &random)
    }
    let meanings = try teacher.unitFeatures(ofPixels: clean, precision: training.precision)
    let (triggered, parts) = try applied(to: clean, isLive: isLive, &random)
    let result = try accumulate(clean, triggered, meanings, parts)
    let broken = optimizer.nonFiniteGradients()
    guard broken.isEmpty else {
      optimizer.clearGradients()
      throw CLIPError(
        .state,
        "unlearn: the gradient of '\(broken[0])' is not finite at step \(step + 1); expected finite "
          + "numbers; the model keeps the weights of step \(step)")
    }
    optimizer.update(learningRate: learningRate)
    step += 1
    return result
  }

  /// Puts triggers on the images, a part of the batch each.
  private func applied(
    to clean: Tensor, isLive: Bool, _ random: inout RandomNumbers
  ) throws(CLIPError) -> (Tensor, [Part]) {
    let triggered = try Tensor(clean.shape)
    var parts: [Part] = []
    let count = clean.shape[0]
    let lives = isLive && !pool.live.isEmpty ? Self.liveSlices : 0
    let half = lives == 0 ? 0 : count / 2
    func add(
      _ rows: Range<Int>, _ trigger: any LearnedTrigger, live: Int?
    ) throws(CLIPError) {
      guard !rows.isEmpty else { return }
      try trigger.apply(to: clean.slice(rows), into: triggered.slice(rows))
      parts.append(Part(rows: rows, live: live))
    }
    for slice in 0..<lives {
      let index = (random.integer(below: pool.live.count) + slice) % pool.live.count
      let trigger = pool.live[index].entry.trigger
      trigger.vary(strength: 1, using: &random)
      try add(half * slice / lives..<half * (slice + 1) / lives, trigger, live: index)
    }
    for slice in 0..<Self.keptSlices {
      let trigger = pool.kept[random.integer(below: pool.kept.count)].trigger
      let range = trigger.family.strengths
      let strength =
        range.lowerBound + (range.upperBound - range.lowerBound) * random.uniform()
      trigger.vary(strength: strength, using: &random)
      let rest = count - half
      try add(
        half + rest * slice / Self.keptSlices..<half + rest * (slice + 1) / Self.keptSlices,
        trigger, live: nil)
    }
    return (triggered, parts)
  }

  /// Adds the gradients of a batch, and lets the live triggers ascend.
  private func accumulate(
    _ clean: Tensor, _ triggered: Tensor, _ meanings: Tensor, _ parts: [Part]
  ) throws(CLIPError) -> UnlearnLoss.Result {
    let count = clean.shape[0]
    let scale = PixelScale(student.configuration)
    let input = Variable(
      try scale.normalized(try Self.joined(clean, triggered)),
      requiresGradient: parts.contains { $0.live != nil })
    let tape = Tape(precision: training.precision, isTraining: false)
    let features = try tape.normalize(try student.imageFeatures(tape, input))
    let result = try loss.evaluate(
      features.value, try Self.joined(meanings, meanings),
      isTriggered: (0..<2 * count).map { $0 >= count }, cleanCount: count, triggeredCount: count)
    guard result.loss.isFinite else {
      throw CLIPError(
        .state,
        "unlearn: the loss is not finite at step \(step + 1); expected a finite number, got "
          + "\(result.loss); the model keeps the weights of step \(step)")
    }
    try tape.backward(features, gradient: result.gradient)
    guard let dInput = input.gradient else { return result }
    let dPixels = try scale.pixelGradient(dInput.slice(count..<2 * count))
    for part in parts {
      guard let index = part.live else { continue }
      try pool.live[index].ascend(dPixels.slice(part.rows), images: clean.slice(part.rows))
    }
    return result
  }

  private static func joined(_ a: Tensor, _ b: Tensor) throws(CLIPError) -> Tensor {
    let result = try Tensor(Shape([2 * a.shape[0]] + a.shape.dimensions.dropFirst()))
    memcpy(result.bytes, a.bytes, a.byteCount)
    memcpy(result.bytes + a.byteCount, b.bytes, b.byteCount)
    return result
  }
}
