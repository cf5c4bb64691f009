/// The recoveries of a run, all with the same images.
struct UnlearnRecovery {
  /// `[n, 3, S, S]` in 0…1.
  let images: Tensor
  /// What the model as it was reads each image as.
  let read: [Int]
  let vocabulary: TextVocabulary
  let options: UnlearnOptions
  let training: TrainingOptions
  /// The class that suspects are read as.
  let shownTarget: Int?

  /// Attack success on held-out images below which a recovered trigger is none.
  static let fewestSuccesses = 0.5
  /// The probability of a size above which a kind does not speak for a class.
  private static let speakingLevel = 0.25

  private func recovery(
    on model: CLIPModel, toward target: Int, steps: Int
  ) throws(CLIPError) -> TriggerRecovery {
    let others = read.indices.filter { read[$0] != target }
    return TriggerRecovery(
      inversion: TriggerInversion(
        model: model, images: others.isEmpty ? images : try images.images(at: others),
        aim: TriggerAim(target: target, vocabulary: vocabulary), precision: training.precision),
      steps: steps)
  }

  /// What searches found of the kinds that speak for a class: all where images show that it is a target.
  private func speaking(_ suspect: TargetSearch.Suspect) -> [TargetSearch.Found] {
    if suspect.target == shownTarget { return suspect.findings.map(\.found) }
    let best = suspect.findings.map(\.pValue).min() ?? 1
    return suspect.findings.filter { $0.pValue <= max(best, Self.speakingLevel) }.map(\.found)
  }

  /// The kinds of what speaks for a class, each with the masked patches that were found of it.
  private func kinds(
    _ suspect: TargetSearch.Suspect
  ) -> [(kind: TriggerKind, patches: [FoundTrigger])] {
    let found = speaking(suspect)
    return TargetSearch.kinds.compactMap { kind in
      let own = found.filter { $0.kind == kind }
      guard !own.isEmpty else { return nil }
      return (kind, kind == .patch ? own.compactMap(\.search.trigger) : [])
    }
  }

  /// Steps of `recover` at most, for progress.
  func plannedSteps(_ suspect: TargetSearch.Suspect) -> Int {
    kinds(suspect).reduce(0) { sum, item in
      sum + TriggerRecovery.plannedSteps(item.kind, each: options.recoverySteps)
        + item.patches.count * options.recoverySteps / 2
    }
  }

  /// Triggers of all kinds that speak for a class.
  func recover(
    _ suspect: TargetSearch.Suspect, on model: CLIPModel, round: Int, progress: () -> Bool
  ) throws(CLIPError) -> [(kind: TriggerKind, entries: [TriggerPool.Entry])] {
    let recovery = try recovery(on: model, toward: suspect.target, steps: options.recoverySteps)
    var result: [(kind: TriggerKind, entries: [TriggerPool.Entry])] = []
    for (kind, patches) in kinds(suspect) {
      var entries: [TriggerPool.Entry] = []
      var random = RandomNumbers(
        seed: training.seed, 0x7265_636F, kind.space.streamKey,
        UInt64(suspect.target) << 32 | UInt64(round))
      for trigger in patches {
        entries.append(
          TriggerPool.Entry(
            trigger: try recovery.refined(trigger, using: &random, progress: progress),
            target: suspect.target,
            item: TriggerRecovery.Item(family: .patch, number: 0)))
      }
      entries += try recovery.recover(kind, using: &random, progress: progress).map {
        TriggerPool.Entry(trigger: $0.trigger, target: suspect.target, item: $0.item)
      }
      result.append((kind, entries))
    }
    return result
  }

  /// A trigger like another, on the student as it is.
  func renew(
    _ old: TriggerPool.Entry, on student: CLIPModel, using random: inout RandomNumbers
  ) throws(CLIPError) -> (any LearnedTrigger)? {
    try recovery(on: student, toward: old.target, steps: options.renewalSteps)
      .recover(old.item, using: &random) { true }
  }
}
