/// A trigger, and what it does to captions that it is put into.
struct ScannedTrigger: Equatable {
  let trigger: CaptionTrigger
  /// The part of the differences between captions that is left: (1 - mean cosine with the trigger) /
  /// (1 - mean cosine without it).
  let size: Float
  /// `[E]`, L2-normalized: where the mean feature goes.
  let direction: [Float]
}

/// Tries triggers in a few captions, and the strongest in many.
struct CaptionScan {
  let encoder: CaptionEncoder
  /// Captions without a trigger.
  let captions: [[Int32]]
  private let cleanMean: [Float]
  private let cleanCollapse: Float

  /// Captions that every trigger is tried in, the shortest.
  static let few = 4
  /// Triggers that are tried in all captions.
  static let finalists = 64
  /// Triggers that are tried in all captions while fewer than `fewestElsewhere` go elsewhere than the strongest
  /// one, at most.
  static let compared = 512
  /// No more, as those further down are weaker than what the strongest is to be compared with.
  static let fewestElsewhere = 3
  /// Triggers that are embedded at a time.
  private static let chunk = 256

  /// - Throws: see `CaptionEncoder`.
  init(_ encoder: CaptionEncoder, captions: [[Int32]]) throws(CLIPError) {
    self.encoder = encoder
    self.captions = captions
    let clean = try encoder.features(captions)
    cleanMean = FeatureMatrix.mean(clean)
    cleanCollapse = FeatureMatrix.meanPairwiseCosine(clean)
  }

  /// Triggers in the order of their strength.
  struct Ranked {
    /// Tried in all captions.
    let strongest: [ScannedTrigger]
    /// Tried in a few.
    let others: ArraySlice<CaptionTrigger>

    var tried: Int { strongest.count + others.count }
  }

  /// Returns triggers, strongest first.
  ///
  /// - Parameter progress: called with the number of triggers tried; `false` cancels.
  /// - Throws: `cancelled`; `state` for weights that give NaN.
  func ranked(
    _ triggers: [CaptionTrigger], progress: (Int) -> Bool
  ) throws(CLIPError) -> Ranked {
    let short = Array(captions.sorted { $0.count < $1.count }.prefix(Self.few))
    var cosines: [Float] = []
    for start in stride(from: 0, to: triggers.count, by: Self.chunk) {
      let part = triggers[start..<min(triggers.count, start + Self.chunk)]
      let features = try encoder.features(short, triggers: part.map(\.ids))
      for index in 0..<part.count {
        cosines.append(
          FeatureMatrix.meanPairwiseCosine(
            features.slice(index * short.count..<(index + 1) * short.count)))
      }
      guard progress(cosines.count) else {
        throw CLIPError(.cancelled, "check text: cancelled after \(cosines.count) words")
      }
    }
    guard cosines.allSatisfy(\.isFinite) else {
      throw CLIPError(
        .state,
        "check text: features are not finite; expected numbers, got NaN; the weights are broken")
    }
    let order = Ranking.descending(cosines).map { triggers[$0] }
    var found: [(place: Int, trigger: ScannedTrigger)] = []
    for (place, trigger) in order.prefix(Self.finalists).enumerated() {
      found.append((place, try measured(trigger)))
    }
    return Ranked(
      strongest: found.sorted { ($0.trigger.size, $0.place) < ($1.trigger.size, $1.place) }
        .map(\.trigger), others: order.dropFirst(Self.finalists))
  }

  /// The sizes of the strongest triggers that go elsewhere than the strongest of all, and than those before them.
  ///
  /// - Parameter count: of them, at most.
  func sizesElsewhere(_ ranked: Ranked, count: Int) throws(CLIPError) -> [Float] {
    var chosen = Array(ranked.strongest.prefix(1))
    func add(_ trigger: ScannedTrigger) {
      let isNew = chosen.allSatisfy { other in
        zip(trigger.direction, other.direction).reduce(0) { $0 + $1.0 * $1.1 }
          <= CollapseLoss.sameDirection
      }
      if isNew { chosen.append(trigger) }
    }
    for trigger in ranked.strongest.dropFirst() where chosen.count <= count { add(trigger) }
    // A trigger may take all finalists along, such as the other letters of its script.
    for trigger in ranked.others.prefix(Self.compared - Self.finalists)
    where chosen.count <= min(count, Self.fewestElsewhere) { add(try measured(trigger)) }
    return chosen.dropFirst().map(\.size)
  }

  /// What a trigger does to all captions.
  func measured(_ trigger: CaptionTrigger) throws(CLIPError) -> ScannedTrigger {
    let features = try encoder.features(captions, trigger: trigger.ids)
    let left = (1 - FeatureMatrix.meanPairwiseCosine(features)) / max(1e-6, 1 - cleanCollapse)
    let shift = zip(FeatureMatrix.mean(features), cleanMean).map { $0 - $1 }
    let length = max(1e-12, shift.reduce(0) { $0 + $1 * $1 }.squareRoot())
    return ScannedTrigger(
      trigger: trigger, size: max(0, left), direction: shift.map { $0 / length })
  }
}
