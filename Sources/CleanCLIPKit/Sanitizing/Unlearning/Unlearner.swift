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
  private let communicator: Communicator
  private let optimizer: AdamW
  private let pass: UnlearnPass
  private let suspects: UnlearnSuspects?
  private let renewal: Renewal
  /// The weights that the round began with.
  private let roundStart: [Tensor]
  /// How a batch is divided to stay within the memory budget; `nil` without a budget.
  private(set) var plan: MemoryPlan?
  /// Updates done.
  private(set) var step = 0

  /// Recovers a trigger like another on the student; `nil` when there is none.
  typealias Renewal =
    (TriggerPool.Entry, inout RandomNumbers) throws(CLIPError) -> (any LearnedTrigger)?

  /// Triggers in one batch: live ones, and kept ones.
  private static let liveSlices = 2
  private static let keptSlices = 2

  init(
    student: CLIPModel, setting: UnlearnSetting, pool: TriggerPool, isPrecaution: Bool,
    renewal: @escaping Renewal
  ) throws(CLIPError) {
    self.student = student
    self.pool = pool
    self.renewal = renewal
    roundStart = try student.imageParameters.map { (parameter) throws(CLIPError) in
      try parameter.value.copy()
    }
    teacher = setting.teacher
    images = setting.images
    options = setting.options
    training = setting.training
    communicator = setting.communicator
    pass = setting.pass(of: student, isPrecaution: isPrecaution)
    plan = setting.plan
    suspects = setting.suspects
    var adam = AdamW.Options()
    adam.weightDecay = 0
    for parameter in student.imageParameters { parameter.gradient = nil }
    optimizer = try AdamW(student.imageParameters.filter(\.isTrainable), options: adam)
  }

  /// Weights and moments, for a saved state; they share memory with the run.
  var savedTensors: [(name: String, tensor: Tensor)] {
    student.imageParameters.map { ("model." + $0.name, $0.value) }
      + zip(student.imageParameters, roundStart).map { ("round_start." + $0.name, $1) }
      + optimizer.state()
  }

  /// Keeps the weights, for `takeBackRound`.
  func beginRound() {
    for (parameter, kept) in zip(student.imageParameters, roundStart) {
      memcpy(kept.bytes, parameter.value.bytes, kept.byteCount)
    }
  }

  /// Puts the weights back that the round began with.
  func takeBackRound() {
    for (parameter, kept) in zip(student.imageParameters, roundStart) {
      memcpy(parameter.value.bytes, kept.bytes, kept.byteCount)
      parameter.valueDidChange()
    }
  }

  /// Goes on where a saved run stopped.
  func resume(_ saved: UnlearnState.Saved) throws(CLIPError) {
    try saved.load(into: savedTensors)
    for parameter in student.imageParameters { parameter.valueDidChange() }
    optimizer.resume(afterSteps: saved.step)
    step = saved.step
    // A measurement in another process might not repeat it.
    plan = saved.plan ?? plan
  }

  /// Checks that all ranks have the same weights and triggers, to the bit: a rank that drifted away would
  /// unlearn something else.
  ///
  /// - Throws: `invalidArgument`, naming the rank and what differs.
  func checkAgreement() throws(CLIPError) {
    guard !communicator.isSingle else { return }
    try communicator.agree(on: [
      "weights": Fingerprint.text(of: student.imageParameters.map(\.value)),
      "triggers": Fingerprint.text(of: pool.kept.map(\.trigger.values)),
      "live_triggers": Fingerprint.text(of: pool.live.map(\.entry.trigger.values)),
    ])
  }

  /// Rows of the batch that carry one trigger, where it leads, and its number among the live ones.
  private struct Part {
    let rows: Range<Int>
    let target: Int
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
    let meanings = try communicator.gatherRows(
      try teacher.unitFeatures(
        ofPixels: communicator.ownRows(of: clean), precision: training.precision), for: .features)
    let aims = try meanings.copy()
    let (triggered, parts) = try applied(to: clean, isLive: isLive, aims, &random)
    let needsPixels = parts.contains { $0.live != nil }
    let targets = parts.flatMap { part in part.rows.map { _ in Optional(part.target) } }
    let (result, dPixels) = try gradients(
      clean, triggered, meanings, aims, targets, needsPixels: needsPixels)
    if let dPixels {
      for part in parts {
        guard let index = part.live else { continue }
        try pool.live[index].ascend(dPixels.slice(part.rows), images: clean.slice(part.rows))
      }
    }
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

  /// Puts triggers on the images, a part of the batch each, in the order of their rows.
  ///
  /// - Parameter aims: what the images shall mean; overwritten where suspects take their place.
  private func applied(
    to clean: Tensor, isLive: Bool, _ aims: Tensor, _ random: inout RandomNumbers
  ) throws(CLIPError) -> (Tensor, [Part]) {
    let triggered = try Tensor(clean.shape)
    var parts: [Part] = []
    let count = clean.shape[0]
    let lives = isLive && !pool.live.isEmpty ? Self.liveSlices : 0
    let half = lives == 0 ? 0 : count / 2
    func add(_ rows: Range<Int>, _ entry: TriggerPool.Entry, live: Int?) throws(CLIPError) {
      guard !rows.isEmpty else { return }
      try entry.trigger.apply(to: clean.slice(rows), into: triggered.slice(rows))
      parts.append(Part(rows: rows, target: entry.target, live: live))
    }
    for slice in 0..<lives {
      let index = (random.integer(below: pool.live.count) + slice) % pool.live.count
      let entry = pool.live[index].entry
      entry.trigger.vary(strength: 1, using: &random)
      try add(half * slice / lives..<half * (slice + 1) / lives, entry, live: index)
    }
    let rest = count - half
    for slice in 0..<Self.keptSlices {
      let rows =
        half + rest * slice / Self.keptSlices..<half + rest * (slice + 1) / Self.keptSlices
      if let suspects, slice == 0 || pool.kept.isEmpty {
        suspects.draw(rows, into: triggered, aims, using: &random)
        parts.append(Part(rows: rows, target: suspects.target, live: nil))
        continue
      }
      let entry = pool.kept[random.integer(below: pool.kept.count)]
      let range = entry.trigger.family.strengths
      let strength =
        range.lowerBound + (range.upperBound - range.lowerBound) * random.uniform()
      entry.trigger.vary(strength: strength, using: &random)
      try add(rows, entry, live: nil)
    }
    return (triggered, parts)
  }

  /// Leaves the gradients of a batch in the parameters, of which every rank computes its part.
  ///
  /// - Returns: losses and dL/d(triggered images) of the whole batch.
  private func gradients(
    _ clean: Tensor, _ triggered: Tensor, _ meanings: Tensor, _ aims: Tensor, _ targets: [Int?],
    needsPixels: Bool
  ) throws(CLIPError) -> (result: UnlearnLoss.Result, dPixels: Tensor?) {
    let batch = clean.shape[0]
    let (clean, triggered) = (communicator.ownRows(of: clean), communicator.ownRows(of: triggered))
    let (meanings, aims) = (communicator.ownRows(of: meanings), communicator.ownRows(of: aims))
    let targets = Array(targets[communicator.ownRows(of: batch)])
    let sums = communicator.isSingle ? nil : GradientSums(student.imageParameters, communicator)
    func accumulated() throws(CLIPError) -> (result: UnlearnLoss.Result, dPixels: Tensor?) {
      let (result, dPixels) = try pass.accumulate(
        clean, triggered, meanings, aims, targets: targets, of: batch, needsPixels: needsPixels,
        chunk: training.chunkSize ?? plan?.chunkSize, sums: sums)
      guard result.loss.isFinite else {
        optimizer.clearGradients()
        throw CLIPError(
          .state,
          "unlearn: the loss is not finite at step \(step + 1); expected a finite number, got "
            + "\(result.loss); the model keeps the weights of step \(step)")
      }
      return (result, dPixels)
    }
    guard let sums else { return try accumulated() }
    let (own, dPixels) = try sums.run(accumulated)
    let losses = try communicator.gather([own.loss, own.kept, own.triggered], for: .losses)
    func sum(_ number: Int) -> Double {
      stride(from: number, to: losses.count, by: 3).reduce(0) { $0 + losses[$1] }
    }
    let result = UnlearnLoss.Result(
      loss: sum(0), kept: sum(1), triggered: sum(2), gradient: own.gradient)
    return (
      result,
      try dPixels.map { (own) throws(CLIPError) in
        try communicator.gatherRows(own, for: .pixels)
      }
    )
  }
}
