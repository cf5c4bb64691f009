internal import Glibc

/// Makes triggers that lead images to one class of a model, in every family that may.
struct TriggerRecovery {
  let inversion: TriggerInversion
  /// Steps of an inversion.
  let steps: Int

  /// What of a family is recovered: its number tells opacities and scanned waves apart.
  struct Item {
    let family: TriggerFamily
    let number: Int
  }

  /// The largest change of a pixel value by a pattern that is added: what is hardly seen.
  private static let bound: Float = 8 / 255
  /// Opacities of blended images, up to that of the published attack (Chen et al. 2017).
  private static let opacities: [Float] = [0.1, 0.2]
  /// The amplitude of SIG's authors (Barni et al. 2019).
  private static let amplitude: Float = 20 / 255
  /// Images that a candidate is measured with.
  private static let candidateImages = 24
  /// Patches and waves of a class.
  private static let patches = 3
  private static let waves = 4

  private var side: Int { inversion.images.shape[2] }

  /// Steps of recovering what a kind speaks for, at most.
  static func plannedSteps(_ kind: TriggerKind, each steps: Int) -> Int {
    TriggerFamily.allCases.filter { $0.kind == kind }.reduce(0) { sum, family in
      switch family {
      // A search of twice the steps, its refinement and the square.
      case .patch: sum + patches * (2 * steps / 2 + steps / 2 + steps)
      case .sinusoid: sum + waves * steps
      case .blend: sum + opacities.count * steps
      case .stamp, .additive, .warp: sum + steps
      }
    }
  }

  /// Recovers what a kind of the check's searches speaks for.
  ///
  /// - Parameter progress: called after each step; `false` cancels.
  func recover(
    _ kind: TriggerKind, using random: inout RandomNumbers, progress: () -> Bool
  ) throws(CLIPError) -> [(item: Item, trigger: any LearnedTrigger)] {
    var list: [(item: Item, trigger: any LearnedTrigger)] = []
    func add(_ family: TriggerFamily, _ number: Int, _ trigger: any LearnedTrigger) {
      list.append((Item(family: family, number: number), trigger))
    }
    for family in TriggerFamily.allCases where family.kind == kind {
      switch family {
      case .patch:
        for number in 0..<Self.patches {
          guard let found = try patch(&random, progress) else { continue }
          add(family, number, try refined(found, using: &random, progress: progress))
          add(family, number, try square(around: found, using: &random, progress: progress))
        }
      case .sinusoid:
        for (number, wave) in try nearest(Self.waves, of: try scanned(), &random).enumerated() {
          try inversion.refine(wave, steps: steps, using: &random, progress: progress)
          add(family, number, wave)
        }
      case .stamp, .additive, .blend, .warp:
        for number in 0..<(family == .blend ? Self.opacities.count : 1) {
          let item = Item(family: family, number: number)
          guard let trigger = try recover(item, using: &random, progress: progress) else {
            continue
          }
          add(family, number, trigger)
        }
      }
    }
    return list
  }

  /// Recovers one trigger.
  ///
  /// - Parameter progress: called after each step; `false` cancels.
  /// - Returns: `nil` when a search found none.
  func recover(
    _ item: Item, using random: inout RandomNumbers, progress: () -> Bool
  ) throws(CLIPError) -> (any LearnedTrigger)? {
    let trigger: any LearnedTrigger
    switch item.family {
    case .patch:
      guard let found = try patch(&random, progress) else { return nil }
      return item.number % 2 == 0
        ? try square(around: found, using: &random, progress: progress)
        : try refined(found, using: &random, progress: progress)
    case .stamp: trigger = try MaskedTrigger.stamp(imageSize: side, random: &random)
    case .additive:
      trigger = try PatternTrigger(imageSize: side, bound: Self.bound, random: &random)
    case .blend:
      trigger = try MaskedTrigger.blend(
        imageSize: side, share: Self.opacities[item.number % Self.opacities.count],
        random: &random)
    case .warp:
      let candidates = try WarpSpace.drawn(imageSize: side).map { DisplacementTrigger($0) }
      trigger = try nearest(1, of: candidates, &random)[0]
    case .sinusoid: trigger = try nearest(1, of: try scanned(), &random)[0]
    }
    try inversion.refine(trigger, steps: steps, using: &random, progress: progress)
    return trigger
  }

  /// Waves of all frequencies that a scan looks at.
  private func scanned() throws(CLIPError) -> [any LearnedTrigger] {
    try SinusoidSpace.candidates(imageSize: side).map { space in
      WaveTrigger(values: space.values, side: side, amplitude: Self.amplitude)
    }
  }

  /// The candidates that come nearest to the aim, the nearest first.
  private func nearest(
    _ count: Int, of candidates: [any LearnedTrigger], _ random: inout RandomNumbers
  ) throws(CLIPError) -> [any LearnedTrigger] {
    var scores: [Float] = []
    for candidate in candidates {
      scores.append(
        -(try inversion.measure(candidate, count: Self.candidateImages, using: &random)))
    }
    return Ranking.descending(scores).prefix(count).map { candidates[$0] }
  }

  /// A patch of any form, as small as the class allows.
  private func patch(
    _ random: inout RandomNumbers, _ progress: () -> Bool
  ) throws(CLIPError) -> FoundTrigger? {
    var settings = TriggerSearchOptions()
    settings.steps = 2 * steps
    settings.precision = inversion.precision
    let space = try PatchSpace(imageSize: side, random: &random)
    let images = inversion.images
    let found = try inversion.model.withFrozenParameters { () throws(CLIPError) in
      try TriggerSearch(
        model: inversion.model, images: images,
        cleanMean: [Float](repeating: 0, count: inversion.model.configuration.embedDim),
        options: settings.ofOneClass
      ).run(
        space, goal: .text(inversion.aim.target, of: inversion.aim.vocabulary), random: &random
      ) { _ in progress() }
    }
    return found.trigger
  }

  /// A found patch at its own place, as effective as its mask allows.
  ///
  /// A search presses the mask down until the patch works for most of a batch only.
  func refined(
    _ found: FoundTrigger, using random: inout RandomNumbers, progress: () -> Bool
  ) throws(CLIPError) -> any LearnedTrigger {
    let trigger = try MaskedTrigger.patch(found)
    trigger.placement = .fixed
    try inversion.refine(trigger, steps: steps / 2, using: &random, progress: progress)
    trigger.placement = .sometimes
    return trigger
  }

  /// A square of the size that attackers choose, around a found patch.
  func square(
    around found: FoundTrigger, using random: inout RandomNumbers, progress: () -> Bool
  ) throws(CLIPError) -> any LearnedTrigger {
    let trigger = try MaskedTrigger.square(around: found, size: max(2, side / 6), random: &random)
    try inversion.refine(trigger, steps: steps, using: &random, progress: progress)
    trigger.placement = .sometimes
    return trigger
  }
}
