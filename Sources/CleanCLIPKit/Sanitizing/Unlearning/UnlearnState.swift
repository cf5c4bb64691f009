internal import Glibc

/// What is needed to resume a run of unlearning as if it had not stopped: a file beside that of the
/// searches. Images, candidates and the measuring are made again.
struct UnlearnState {
  static let fileName = StateFolder.unlearningFile
  private static let kind = SavedStateKind(
    format: "cleanclip unlearning state 2", work: "run", name: "the state of an unlearning run",
    inputs: "model, images, classes and triggers")

  /// Of the first rank; `nil` on the others, and where none is kept.
  private let directory: String?
  private let communicator: Communicator
  private let identity: WorkIdentity
  private let side: Int
  private let given: [Trigger]
  /// Candidates, to which searches without a target may have added.
  var vocabulary: TextVocabulary
  /// Rounds and steps that a run has at most.
  private let options: UnlearnOptions

  /// What a file holds.
  struct Saved {
    /// The round that goes on.
    let round: Int
    /// Updates done.
    let step: Int
    let steps: [TrainingProgress]
    let plan: MemoryPlan?
    let pool: TriggerPool
    let evidence: [TriggerEvidence]
    /// Of a run that had come to its end.
    let persistence: UnlearnPersistence.Result?
    fileprivate let file: SafeTensorsFile

    /// Copies weights and moments into tensors of the same names.
    ///
    /// - Throws: `format`, before anything is changed.
    func load(into tensors: [(name: String, tensor: Tensor)]) throws(CLIPError) {
      var loaded: [Tensor] = []
      for (name, tensor) in tensors {
        let value = try file.tensor(name)
        guard value.shape == tensor.shape, value.dtype == tensor.dtype else {
          throw UnlearnState.damaged(file.path, "'\(name)' of shape \(value.shape)")
        }
        loaded.append(value)
      }
      for (target, value) in zip(tensors, loaded) {
        memcpy(target.tensor.bytes, value.bytes, value.byteCount)
      }
    }
  }

  /// - Parameters:
  ///   - model: with the weights that it has at first.
  ///   - options: of the run, by name.
  init(_ setting: UnlearnSetting, model: CLIPModel, options named: [String: String]) {
    communicator = setting.communicator
    directory = communicator.rank == 0 ? setting.training.stateDirectory : nil
    side = setting.side
    given = setting.options.triggers
    vocabulary = setting.vocabulary
    options = setting.options
    guard directory != nil || !communicator.isSingle else {
      identity = WorkIdentity()
      return
    }
    identity = WorkIdentity(
      options: named,
      inputs: [
        "initial_weights": Fingerprint.text(of: model.stateDict().map(\.tensor)),
        "images": setting.images.fingerprint,
        "candidates": setting.vocabulary.names.joined(separator: ", "),
        "candidate_features": Fingerprint.text(of: [setting.vocabulary.features]),
        "suspects": setting.suspects.map { Fingerprint.text(of: [$0.images]) } ?? "none",
        "triggers": given.map(\.summary).joined(separator: ", "),
      ])
  }

  /// Refuses the state of a run with other options, before the work that tells whether its inputs are the same.
  ///
  /// - Throws: `state`, naming them; `format` for a damaged one; `io`.
  static func checkOptions(_ named: [String: String], in directory: String) throws(CLIPError) {
    let path = directory + "/" + fileName
    guard access(path, F_OK) == 0 else { return }
    _ = try kind.read(path, identity: WorkIdentity(options: named))
  }

  /// Where searches at the end of a round are kept, each round's beside the model that it ended with; `nil`
  /// where nothing is kept.
  func searches(ofRound round: Int) -> String? { directory.map { "\($0)/round-\(round)" } }

  /// Removes what an earlier run searched at the end of its rounds.
  func removeSearchesOfRounds() {
    for round in 1...options.rounds {
      guard let folder = searches(ofRound: round) else { continue }
      unlink(folder + "/" + ModelCheckState.fileName)
      rmdir(folder)
    }
  }

  /// Saves where a run is, replacing what was saved before.
  ///
  /// - Parameter round: the round that goes on.
  /// - Throws: `io`.
  func save(
    _ unlearner: Unlearner, round: Int, _ outcome: UnlearnOutcome, _ progress: UnlearnProgress
  ) throws(CLIPError) {
    guard let directory else { return }
    var metadata = [
      "round": "\(round)", "step": "\(unlearner.step)",
      "kept": "\(unlearner.pool.kept.count)", "live": "\(unlearner.pool.live.count)",
      "evidence": "\(outcome.evidence.count)",
    ]
    metadata["plan"] = unlearner.plan?.text
    if let persistence = outcome.persistence {
      metadata.merge(persistence.members(of: outcome.evidence)) { _, own in own }
    }
    var tensors = unlearner.savedTensors
    func add(_ entry: TriggerPool.Entry, _ name: String) throws(CLIPError) {
      let record = entry.trigger.record
      metadata[name] =
        "\(record.form) \(record.family) \(entry.target) \(entry.item.family) \(entry.item.number) "
        + "\(record.arrays.count)"
      for (index, array) in record.arrays.enumerated() {
        tensors.append(("\(name).\(index)", try Tensor(array, [array.count])))
      }
    }
    for (index, entry) in unlearner.pool.kept.enumerated() { try add(entry, "kept.\(index)") }
    for (index, live) in unlearner.pool.live.enumerated() {
      try add(live.entry, "live.\(index)")
      metadata["live.\(index).steps"] = "\(live.optimizer.steps)"
      for (number, moments) in live.optimizer.moments.enumerated() {
        tensors.append(
          ("live.\(index).moments.\(number)", try Tensor(moments, [moments.count])))
      }
    }
    for (index, evidence) in outcome.evidence.enumerated() {
      // Renewed triggers are kept behind those with evidence, which stay in their order.
      let number = unlearner.pool.kept.firstIndex { $0.trigger === evidence.entry.trigger } ?? 0
      metadata["evidence.\(index)"] =
        "\(number) \(evidence.round) \(evidence.isSign ? 1 : 0) \(evidence.before.successes) "
        + "\(evidence.before.total) \(evidence.accuracyBefore.successes) "
        + "\(evidence.accuracyBefore.total) \(evidence.cosineBefore)"
    }
    var history = TrainingHistory()
    history.steps = progress.steps.map {
      TrainingHistory.Step(
        epoch: $0.epoch, losses: $0.losses, learningRate: $0.learningRate,
        logitScale: $0.logitScale)
    }
    if let steps = try history.stepTensor() { tensors.append(("steps", steps)) }
    try Self.kind.write(
      tensors, metadata, identity: identity, to: directory + "/" + Self.fileName)
  }

  /// Checks that all ranks run the same.
  ///
  /// - Throws: `invalidArgument`, naming what differs.
  func agree() throws(CLIPError) { try communicator.agree(on: identity.required) }

  /// Reads what was saved, on the first rank for all; `nil` when there is nothing.
  ///
  /// - Parameter resume: whether to resume, which the first rank decides.
  /// - Throws: `state` for the state of another run, naming what differs; `format` for a damaged one;
  ///   `io`.
  func load(resume: Bool) throws(CLIPError) -> Saved? {
    let path = directory.map { $0 + "/" + Self.fileName }
    let own = path.flatMap { resume && access($0, F_OK) == 0 ? $0 : nil }
    guard try communicator.gather(own != nil, for: .state)[0] else { return nil }
    let file = try shared(own)
    let head = try ["round", "step", "kept", "live", "evidence"].map { (name) throws(CLIPError) in
      try Self.number(file, name)
    }
    let (round, step) = (head[0], head[1])
    guard (1...options.rounds).contains(round),
      (options.firstStep(ofRound: round)...options.firstStep(ofRound: round + 1)).contains(step),
      (0...100_000).contains(head[2]), head[3] <= 1000, head[4] <= head[2]
    else { throw Self.damaged(file.path, "round \(round), step \(step)") }
    let kept = try (0..<head[2]).map { (index) throws(CLIPError) in
      try entry("kept.\(index)", file)
    }
    let live = try (0..<head[3]).map { (index) throws(CLIPError) in
      try self.live("live.\(index)", file)
    }
    let evidence = try (0..<head[4]).map { (index) throws(CLIPError) in
      try self.evidence("evidence.\(index)", kept, file)
    }
    var plan: MemoryPlan?
    if let text = file.metadata["plan"] {
      plan = MemoryPlan(text: text)
      guard plan != nil else { throw Self.damaged(file.path, "no plan of memory") }
    }
    return Saved(
      round: round, step: step, steps: try Self.steps(file, count: step, options), plan: plan,
      pool: TriggerPool(kept: kept, live: live), evidence: evidence,
      persistence: try persistence(evidence, file), file: file)
  }

  /// The file of the first rank, which hands it to the others.
  ///
  /// - Parameter path: on the first rank.
  private func shared(_ path: String?) throws(CLIPError) -> SafeTensorsFile {
    let bytes = try communicator.broadcast(
      try path.map { (path) throws(CLIPError) in
        communicator.isSingle ? [] : try FileContents.read(path, limit: .max)
      } ?? [], for: .state)
    if let path { return try Self.kind.read(path, identity: identity) }
    let copy = try MemoryFile(copying: bytes, name: "the state of rank 0")
    return try Self.kind.checked(try SafeTensors.read(try InputFile(copy)), identity: identity)
  }

  private func entry(_ name: String, _ file: SafeTensorsFile) throws(CLIPError) -> TriggerPool.Entry
  {
    let words = (file.metadata[name] ?? "").split(separator: " ").map(String.init)
    guard words.count == 6, let form = TriggerRecord.Form(rawValue: words[0]),
      let family = TriggerFamily(rawValue: words[1]), let target = Int(words[2]),
      vocabulary.names.indices.contains(target),
      let itemFamily = TriggerFamily(rawValue: words[3]), let number = Int(words[4]),
      (0..<1000).contains(number), let count = Int(words[5]), (0...8).contains(count)
    else { throw Self.damaged(file.path, "no trigger '\(name)'") }
    let arrays = try (0..<count).map { (index) throws(CLIPError) in
      try Self.floats(file, "\(name).\(index)")
    }
    guard
      let trigger = try TriggerRecord(form: form, family: family, arrays: arrays)
        .restored(side: side, given: given)
    else { throw Self.damaged(file.path, "a trigger '\(name)' that does not fit") }
    return TriggerPool.Entry(
      trigger: trigger, target: target,
      item: TriggerRecovery.Item(family: itemFamily, number: number))
  }

  private func live(_ name: String, _ file: SafeTensorsFile) throws(CLIPError) -> TriggerPool.Live {
    let live = try TriggerPool.Live(try entry(name, file))
    let moments = [
      try Self.floats(file, "\(name).moments.0"), try Self.floats(file, "\(name).moments.1"),
    ]
    guard moments.allSatisfy({ $0.count == live.entry.trigger.values.count }) else {
      throw Self.damaged(file.path, "moments of '\(name)' that do not fit")
    }
    live.optimizer.resume(
      afterSteps: Int64(try Self.number(file, "\(name).steps")), moments: moments)
    return live
  }

  private func evidence(
    _ name: String, _ kept: [TriggerPool.Entry], _ file: SafeTensorsFile
  ) throws(CLIPError) -> TriggerEvidence {
    let words = (file.metadata[name] ?? "").split(separator: " ")
    let counts = words.prefix(7).compactMap { Int($0) }
    guard words.count == 8, counts.count == 7, let cosine = Float(words[7]),
      kept.indices.contains(counts[0]), counts[1] >= 1, (0...counts[4]).contains(counts[3]),
      (0...counts[6]).contains(counts[5])
    else { throw Self.damaged(file.path, "no evidence '\(name)'") }
    let entry = kept[counts[0]]
    return TriggerEvidence(
      entry: entry, aim: TriggerAim(target: entry.target, vocabulary: vocabulary),
      round: counts[1], isSign: counts[2] != 0, before: Proportion(counts[3], of: counts[4]),
      accuracyBefore: Proportion(counts[5], of: counts[6]), cosineBefore: cosine)
  }

  private func persistence(
    _ evidence: [TriggerEvidence], _ file: SafeTensorsFile
  ) throws(CLIPError) -> UnlearnPersistence.Result? {
    guard file.metadata[UnlearnPersistence.Result.key] != nil else { return nil }
    guard let result = UnlearnPersistence.Result(members: file.metadata, of: evidence) else {
      throw Self.damaged(file.path, "no test of persistence")
    }
    return result
  }

  private static func steps(
    _ file: SafeTensorsFile, count: Int, _ options: UnlearnOptions
  ) throws(CLIPError) -> [TrainingProgress] {
    guard count > 0 else { return [] }
    guard let steps = TrainingHistory.steps(of: try file.tensor("steps")), steps.count == count,
      steps.allSatisfy({ (1...options.rounds).contains($0.epoch) })
    else { throw damaged(file.path, "steps that do not fit") }
    return steps.enumerated().map { index, step in
      TrainingProgress(
        epoch: step.epoch, epochs: step.epoch, step: index + 1,
        steps: max(options.firstStep(ofRound: 2), index + 1), losses: step.losses,
        learningRate: step.learningRate, logitScale: step.logitScale, samplesPerSecond: 0,
        waitingFraction: 0, plannedBytes: 0)
    }
  }

  private static func floats(_ file: SafeTensorsFile, _ name: String) throws(CLIPError) -> [Float] {
    let tensor = try file.tensor(name)
    guard tensor.dtype == .f32 else { throw damaged(file.path, "'\(name)' of \(tensor.dtype)") }
    return tensor.floats()
  }

  /// A whole number from 0 on.
  private static func number(_ file: SafeTensorsFile, _ name: String) throws(CLIPError) -> Int {
    guard let value = file.metadata[name].flatMap({ Int($0) }), (0..<1 << 41).contains(value) else {
      throw damaged(file.path, "no '\(name)'")
    }
    return value
  }

  private static func damaged(_ path: String, _ what: String) -> CLIPError {
    kind.damaged(path, what)
  }
}
