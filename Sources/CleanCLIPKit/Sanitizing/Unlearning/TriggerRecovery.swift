internal import Glibc

/// Makes triggers of every family for unlearning: recovered on a model, from its own random start.
struct TriggerRecovery {
  let inversion: TriggerInversion
  let families: [TriggerFamily]
  /// Triggers of each family but patches.
  let perFamily: Int
  let patchCount: Int
  /// Steps of a search.
  let steps: Int
  let seed: UInt64

  /// Largest changes of a pixel value by a pattern that is added.
  private static let bounds: [Float] = [8 / 255, 16 / 255, 24 / 255]
  /// The opacity of a blended image in the published attacks (Chen et al. 2017).
  private static let share: Float = 0.2
  /// Random warps of which the best starts a search.
  private static let warpCandidates = 24
  /// Images that a candidate is measured with.
  private static let candidateImages = 48

  private var side: Int { inversion.images.shape[2] }

  /// Recovers all triggers of all families.
  ///
  /// - Parameter progress: called after each step with the family; `false` cancels.
  func recover(
    progress: (TriggerFamily) -> Bool
  ) throws(CLIPError) -> [any LearnedTrigger] {
    var found: [any LearnedTrigger] = []
    for family in families {
      switch family {
      case .patch: found += try patches { progress(family) }
      case .sinusoid: found += try waves { progress(family) }
      default:
        for number in 0..<perFamily {
          var random = stream(family, number)
          found.append(try recover(family, using: &random) { progress(family) })
        }
      }
    }
    return found
  }

  /// Recovers one trigger of a family by gradient, from a random start.
  func recover(
    _ family: TriggerFamily, using random: inout RandomNumbers, progress: () -> Bool
  ) throws(CLIPError) -> any LearnedTrigger {
    if family == .patch, let found = try patch(avoiding: [], &random, progress).trigger {
      return try MaskedTrigger.patch(found)
    }
    let trigger = try start(family, &random)
    try inversion.refine(trigger, steps: steps, using: &random, progress: progress)
    return trigger
  }

  private func stream(_ family: TriggerFamily, _ number: Int) -> RandomNumbers {
    RandomNumbers(seed: seed, 0x7265_636F, family.streamKey, UInt64(number))
  }

  private func start(
    _ family: TriggerFamily, _ random: inout RandomNumbers
  ) throws(CLIPError) -> any LearnedTrigger {
    switch family {
    case .stamp: return try MaskedTrigger.stamp(imageSize: side, random: &random)
    case .patch: return try MaskedTrigger.square(imageSize: side, random: &random)
    case .additive:
      let bound = Self.bounds[random.integer(below: Self.bounds.count)]
      return try PatternTrigger(imageSize: side, bound: bound, random: &random)
    case .blend:
      return try MaskedTrigger.blend(imageSize: side, share: Self.share, random: &random)
    case .warp:
      var candidates: [any LearnedTrigger] = []
      for _ in 0..<Self.warpCandidates {
        candidates.append(try DisplacementTrigger(imageSize: side, random: &random))
      }
      return try best(1, of: candidates, &random)[0]
    case .sinusoid:
      let radius = WaveScan.largestRadius * random.uniform().squareRoot()
      let angle = Float.pi * random.uniform()
      return try WaveTrigger(
        imageSize: side, frequency: (radius * cosf(angle), radius * sinf(angle)),
        phase: 2 * Float.pi * random.uniform(), amplitude: WaveScan.amplitude)
    }
  }

  /// The candidates that come closest to what an inversion wants, best first.
  private func best(
    _ count: Int, of candidates: [any LearnedTrigger], _ random: inout RandomNumbers
  ) throws(CLIPError) -> [any LearnedTrigger] {
    var values: [Float] = []
    for candidate in candidates {
      values.append(
        -(try inversion.measure(candidate, count: Self.candidateImages, using: &random)).value)
    }
    return Ranking.descending(values).prefix(count).map { candidates[$0] }
  }

  /// Waves from the best of a scan.
  private func waves(progress: () -> Bool) throws(CLIPError) -> [any LearnedTrigger] {
    var random = stream(.sinusoid, 0)
    let found = try best(
      2 * perFamily, of: try WaveScan.candidates(imageSize: side), &random)
    for trigger in found {
      try inversion.refine(trigger, steps: steps, using: &random, progress: progress)
    }
    return found
  }

  /// Patches of any form from the search of the model check: some that are kept away from where those
  /// before them take images, which tell whether the smallest is too small, and some that are free.
  private func patches(progress: () -> Bool) throws(CLIPError) -> [any LearnedTrigger] {
    var results: [TriggerSearchResult] = []
    for number in 0..<patchCount {
      var random = stream(.patch, number)
      let isReference = (1...Self.patchReferences).contains(number)
      let known = isReference ? results.filter { $0.trigger != nil }.map(\.direction) : []
      results.append(try patch(avoiding: known, &random, progress))
    }
    let compared = results.prefix(1 + Self.patchReferences)
    let smallest = compared.indices.min { compared[$0].size < compared[$1].size } ?? 0
    let reference = SizeReference(
      source: .referenceSearches,
      sizes: compared.indices.filter { $0 != smallest }.map { compared[$0].size }, kind: .patch)
    var found: [any LearnedTrigger] = []
    for (number, result) in results.enumerated() {
      guard let trigger = result.trigger else { continue }
      let isJudged = number == smallest || number > Self.patchReferences
      found.append(
        try MaskedTrigger.patch(
          trigger, sizePValue: isJudged ? reference.pValue(of: result.size) : 1))
    }
    return found
  }

  /// Searches of a patch towards other places.
  private static let patchReferences = 3

  private func patch(
    avoiding directions: [[Float]], _ random: inout RandomNumbers, _ progress: () -> Bool
  ) throws(CLIPError) -> TriggerSearchResult {
    var settings = TriggerSearchOptions()
    settings.steps = 2 * steps
    if !directions.isEmpty { settings.hopeless = settings.steps }
    settings.precision = inversion.precision
    let space = try PatchSpace(imageSize: side, random: &random)
    return try inversion.model.withFrozenParameters { () throws(CLIPError) in
      try TriggerSearch(
        model: inversion.model, images: inversion.images,
        cleanMean: FeatureMatrix.mean(inversion.meanings), options: settings
      ).run(space, goal: .anywhere(forbidden: directions), random: &random) { _ in progress() }
    }
  }
}

/// Single sinusoids of low frequency: what a scan starts from.
enum WaveScan {
  /// Cycles along a side.
  static let largestRadius: Float = 8
  static let amplitude: Float = 16 / 255

  /// One wave of each whole frequency up to the largest radius, each direction once.
  static func candidates(imageSize: Int) throws(CLIPError) -> [any LearnedTrigger] {
    var list: [any LearnedTrigger] = []
    let radius = Int(largestRadius)
    for u in -radius...radius {
      for w in 0...radius where u * u + w * w <= radius * radius && (w > 0 || u > 0) {
        list.append(
          try WaveTrigger(
            imageSize: imageSize, frequency: (Float(u), Float(w)), phase: 0,
            amplitude: amplitude))
      }
    }
    return list
  }
}
