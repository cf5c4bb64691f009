/// What a run found and did, with its evidence.
struct UnlearnOutcome {
  /// Images that the model was trained with.
  let imageCount: Int
  /// Triggers that were unlearned.
  var evidence: [TriggerEvidence] = []
  /// Triggers that were recovered on the clean model at the end.
  var fresh: [TriggerEvidence] = []
  var agreement = UnlearnAgreement(cosine: 1, zeroShot: nil, classes: [])
  var rounds = 0
  /// Whether the limit on accuracy ended the run.
  var isLimited = false
  private(set) var verdict: SanitizeVerdict?

  /// Hits above the base rate that are left by chance and by rounding.
  static let tolerance = 0.05

  init(imageCount: Int) { self.imageCount = imageCount }

  mutating func finish(_ verdict: SanitizeVerdict, agreement: UnlearnAgreement) {
    self.verdict = verdict
    self.agreement = agreement
  }

  /// Draws the verdict from the evidence.
  mutating func conclude() {
    let planted = evidence.filter(\.isBackdoor)
    let left = planted.filter { $0.excess > Self.tolerance }
    let isFound = fresh.contains(where: \.isBackdoor)
    if left.isEmpty && !isFound && !isLimited {
      verdict = .removed
    } else if planted.allSatisfy({ $0.excess <= 0.5 * $0.before.value }) {
      verdict = left.isEmpty && !isFound ? .removed : .weakened
    } else {
      verdict = .notRemoved
    }
  }

  /// A line for the user.
  var summary: String {
    let planted = evidence.filter(\.isBackdoor)
    let targets = Set(planted.compactMap(\.target)).sorted()
    var text =
      "recovered \(planted.count) of \(evidence.count) triggers beyond what clean models have"
    if !targets.isEmpty { text += ", towards " + targets.map { "'\($0)'" }.joined(separator: ", ") }
    return text
  }

  /// The evidence in a few lines for people.
  var notes: [String] {
    var lines = evidence.filter(\.isBackdoor).map(\.line)
    lines += fresh.filter(\.isBackdoor).map { "found on the clean model: " + $0.line }
    var text = "held-out images: mean cosine with the model as it was \(agreement.cosine)"
    if let zeroShot = agreement.zeroShot {
      text += ", \(percent(zeroShot.value)) classified as before"
    }
    lines.append(text)
    if isLimited { lines.append("ended by max_accuracy_loss") }
    return lines
  }

  var json: JSONObject {
    var object = JSONObject()
    if let verdict { object["verdict"] = .string(verdict.rawValue) }
    object["rounds"] = .integer(rounds)
    object["images"] = .integer(imageCount)
    object["stopped_by_limit"] = .bool(isLimited)
    object["agreement"] = .object(agreement.json)
    object["triggers"] = .array(evidence.map { .object($0.json) })
    object["fresh_triggers"] = .array(fresh.map { .object($0.json) })
    return object
  }
}

extension UnlearnAgreement {
  var json: JSONObject {
    var object: JSONObject = ["cosine": .single(cosine)]
    if let zeroShot {
      object["zero_shot"] = .number(zeroShot.value)
      object["zero_shot_interval_95"] = [
        .number(zeroShot.interval.lowerBound), .number(zeroShot.interval.upperBound),
      ]
      object["classes"] = .array(classes.map { .string($0) })
    }
    return object
  }
}

extension TriggerEvidence {
  /// Whether clean models have no trigger that does as much.
  var isBackdoor: Bool {
    let gate = trigger.family.gate
    guard before.value >= gate.hits, collapse >= gate.collapse else { return false }
    // Any network collapses under a large enough patch: a planted one is small.
    return trigger.family != .patch || (trigger.sizePValue ?? 1) < Self.patchLevel
  }

  private static let patchLevel = 0.05

  /// The rate of hits on the clean model above that without the trigger.
  var excess: Double { max(0, (after?.value ?? before.value) - (base?.value ?? 0)) }

  /// For people.
  var line: String {
    var text = trigger.family.rawValue
    if let target { text += " towards '\(target)'" }
    text += ": success rate \(percent(before.value)) before"
    if let after, let base {
      text +=
        ", \(percent(after.value)) after, "
        + "\(percent(base.value)) without the trigger"
    }
    return text
  }

  var json: JSONObject {
    var object: JSONObject = [
      "family": .string(trigger.family.rawValue), "round": .integer(round),
      "beyond_clean_models": .bool(isBackdoor),
      "success_rate_before": .number(before.value), "images": .integer(before.total),
      "collapse": .single(collapse), "cosine_before": .single(cosineBefore),
    ]
    if let pValue = trigger.sizePValue { object["size_p_value"] = .number(pValue) }
    if let target { object["target"] = .string(target) }
    if let after { object["success_rate_after"] = .number(after.value) }
    if let base { object["base_rate"] = .number(base.value) }
    if let cosineAfter { object["cosine_after"] = .single(cosineAfter) }
    return object
  }
}
