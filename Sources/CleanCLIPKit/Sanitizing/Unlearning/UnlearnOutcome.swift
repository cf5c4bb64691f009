/// What a run found and did, with its evidence.
struct UnlearnOutcome {
  /// Images that the model was trained with.
  let imageCount: Int
  /// What the searches towards classes found on the model as it was.
  var suspects: [TargetSearch.Suspect] = []
  /// The likeliest classes where none is a suspect: triggers towards these are unlearned all the same.
  var precautions: [TargetSearch.Suspect] = []
  let vocabulary: TextVocabulary
  /// What became of the user's suspects; `nil` without any.
  var shown: ShownSuspects?
  /// Every search towards a class on the model as it was.
  var searches: [TargetSearch.Found] = []
  /// Triggers that were unlearned.
  var evidence: [TriggerEvidence] = []
  /// What searches towards the same classes found on the clean model.
  var fresh: [TargetSearch.Suspect] = []
  var agreement: UnlearnAgreement
  var rounds = 0
  /// What the last round cost, which was too much, so that it was taken back; `nil` when none was.
  var takenBack: UnlearnAgreement?
  /// What further training of a copy brings back; `nil` when that was not tried.
  var persistence: UnlearnPersistence.Result?
  /// What became of words in the text tower; `nil` when none were looked for.
  private(set) var text: TextOutcome?
  private(set) var verdict: SanitizeVerdict?

  /// The mean cosine with the features of before below which a precaution costs more than it is worth.
  private static let precautionCosine: Float = 0.98
  /// Attack success above the base rate that is left by rounding.
  static let tolerance = 0.05

  init(imageCount: Int, vocabulary: TextVocabulary) {
    self.imageCount = imageCount
    self.vocabulary = vocabulary
    agreement = UnlearnAgreement(
      cosine: 1, zeroShot: Proportion(0, of: 0), classes: vocabulary.names)
  }

  mutating func finish(_ verdict: SanitizeVerdict, agreement: UnlearnAgreement) {
    self.verdict = verdict
    self.agreement = agreement
  }

  /// Takes up suspects of the user, whose target becomes one of the run's.
  ///
  /// - Parameter searches: those towards their target.
  mutating func add(_ suspects: UnlearnSuspects, _ searches: [TargetSearch.Suspect]) {
    shown = ShownSuspects(target: suspects.target, given: suspects.readAsTarget)
    let known = Set(self.suspects.map(\.target))
    self.suspects += searches.filter { !known.contains($0.target) }
  }

  /// Takes up what became of the text tower.
  mutating func add(_ text: TextOutcome) {
    self.text = text
    verdict = verdict?.combined(with: text.verdict)
  }

  var shownTargets: [Int] { shown.map { [$0.target] } ?? [] }

  /// The triggers that the verdict depends on.
  var signs: [TriggerEvidence] { evidence.filter(\.isSign) }

  /// Whether triggers of a suspect still work, or a fresh search still finds one.
  func isLeft(_ target: Int) -> Bool {
    fresh.contains { $0.target == target && $0.pValue < TargetSearch.level }
      || signs.contains { $0.entry.target == target && $0.isLeft }
      || shown.map { $0.target == target && $0.isLeft } ?? false
  }

  /// Whether what is unlearned is no finding.
  var isPrecaution: Bool { !precautions.isEmpty }

  /// Whether a precaution changed the model too much.
  var isPrecautionTooDear: Bool {
    isPrecaution && agreement.cosine < Self.precautionCosine
  }

  /// Whether the run ended because a round cost too much.
  var isLimited: Bool { takenBack != nil }

  /// Attack success above the base rate that must be excluded (95 %) for nothing to be left: with 12 held-out
  /// images and none that follows, less cannot be.
  private static let excluded = 0.25

  /// The most that a sign may still do, where held-out images are too few to exclude that it does much.
  private var uncertain: Double? {
    let most = signs.compactMap { sign in
      sign.after.map { $0.interval.upperBound - (sign.base?.value ?? 0) }
    }.max()
    return most.flatMap { $0 > Self.excluded ? $0 : nil }
  }

  /// Draws the verdict from the evidence.
  mutating func conclude() {
    guard !isPrecaution else {
      verdict = .nothingFound
      return
    }
    let left = Set(evidence.map(\.entry.target) + shownTargets).contains(where: isLeft)
    if !left && !isLimited && !(persistence?.comesBack ?? false) && uncertain == nil {
      verdict = .removed
    } else if signs.allSatisfy({ $0.excess <= 0.5 * $0.before.value })
      && !(shown?.isMostlyLeft ?? false)
    {
      verdict = .weakened
    } else {
      verdict = .notRemoved
    }
  }

  /// A line for the user.
  var summary: String {
    let found = suspects.filter { $0.pValue < TargetSearch.level }
    guard !found.isEmpty else {
      let none = "no class of \(vocabulary.names.count) is reached more easily than the others"
      guard isPrecaution else { return none }
      return none + "; as a precaution, triggers towards the likeliest are unlearned: "
        + precautions.map { "'\(vocabulary.names[$0.target])'" }.joined(separator: ", ")
    }
    return "images are led more easily than elsewhere to "
      + found.map { "'\(vocabulary.names[$0.target])' (p = \(significant($0.pValue)))" }
      .joined(separator: ", ")
  }

  /// Where a round ended, for the user.
  var progress: String {
    let worst = (isPrecaution ? evidence : signs).map(\.excess).max() ?? 0
    return "attack success of recovered triggers is at most \(percent(worst)) above that without; "
      + "\(agreement.zeroShot.counted) held-out images classified as before"
  }

  /// The evidence in a few lines for people.
  var notes: [String] { [summary] + evidence.map(\.line) + conclusion.dropFirst() }

  /// The same without the triggers.
  var conclusion: [String] {
    var lines = [summary]
    if let shown { lines.append(shown.line(vocabulary)) }
    for suspect in fresh where suspect.pValue < TargetSearch.level {
      lines.append(
        "still found on the clean model: '\(vocabulary.names[suspect.target])' "
          + "(p = \(significant(suspect.pValue)))")
    }
    lines += text?.lines ?? []
    guard agreement.zeroShot.total > 0 else { return lines }
    lines.append("held-out images: " + agreement.text)
    if let takenBack {
      lines.append(
        (isPrecaution ? "the precaution" : "the last round")
          + " cost too much and is taken back: after it, \(takenBack.text)")
    }
    if let uncertain, verdict == .weakened {
      lines.append(
        "\(agreement.zeroShot.total) held-out images are too few: attack success of \(percent(uncertain)) above "
          + "that without a trigger cannot be excluded; give more images")
    }
    if let persistence {
      lines += persistence.lines
    } else if verdict == .removed {
      lines.append("whether further training brings it back was not tried")
    }
    return lines
  }

  var json: JSONObject {
    var object = JSONObject()
    if let verdict { object["verdict"] = .string(verdict.rawValue) }
    object["rounds"] = .integer(rounds)
    object["images"] = .integer(imageCount)
    object["stopped_by_limit"] = .bool(isLimited)
    if let takenBack { object["taken_back"] = .object(takenBack.json) }
    // Measured after a round, or when there is none.
    if agreement.zeroShot.total > 0 { object["agreement"] = .object(agreement.json) }
    object["suspects"] = .array(suspects.map { .object($0.json(vocabulary)) })
    if isPrecaution {
      object["precautions"] = .array(precautions.map { .object($0.json(vocabulary)) })
    }
    object["searches"] = .array(searches.map { .object($0.json(vocabulary)) })
    object["triggers"] = .array(evidence.map { .object($0.json) })
    object["suspects_after"] = .array(fresh.map { .object($0.json(vocabulary)) })
    if let shown { object["suspect_images"] = .object(shown.json(vocabulary)) }
    if let text { object["text"] = .object(text.json) }
    if let persistence { object["persistence"] = .object(persistence.json) }
    return object
  }
}

extension UnlearnAgreement {
  /// For people.
  var text: String {
    let interval = zeroShot.interval
    return
      "\(zeroShot.counted) classified as before (95 % interval \(percent(interval.lowerBound)) to "
      + "\(percent(interval.upperBound))), mean cosine with the features of before "
      + decimal(Double(cosine), 4)
  }

  var json: JSONObject {
    [
      "cosine": .single(cosine), "zero_shot": .number(zeroShot.value),
      "zero_shot_interval_95": zeroShot.intervalJSON,
      "classes": .array(classes.map { .string($0) }),
    ]
  }
}

extension Proportion {
  /// The rate and of how many, for people.
  var counted: String { "\(percent(value)) of \(total)" }

  var intervalJSON: JSONValue {
    [.number(interval.lowerBound), .number(interval.upperBound)]
  }
}

extension TargetSearch.Suspect {
  func json(_ vocabulary: TextVocabulary) -> JSONObject {
    [
      "target": .string(vocabulary.names[target]), "p_value": .number(pValue),
      "searches": .array(
        findings.map { finding in
          .object([
            "kind": .string(finding.found.kind.name),
            "is_targeted": .bool(finding.found.reference == nil),
            "size": .single(finding.found.search.size),
            "p_value": .number(finding.pValue),
            "attack_success_rate": .number(finding.found.success.value),
          ])
        }),
    ]
  }
}

extension TargetSearch.Found {
  func json(_ vocabulary: TextVocabulary) -> JSONObject {
    var object: JSONObject = [
      "kind": .string(kind.name), "target": .string(vocabulary.names[target]),
      "is_targeted": .bool(reference == nil), "size": .single(search.size),
      "attack_success_rate": .number(success.value),
    ]
    if let reference {
      object["reference_sizes"] = .array(reference.sizes.map { .single($0) })
    }
    return object
  }
}

extension TriggerEvidence {
  /// The attack success rate on the clean model above that without the trigger.
  var excess: Double { max(0, (after?.value ?? before.value) - (base?.value ?? 0)) }

  /// Whether it still works: by more than the tolerance, and more than chance explains.
  var isLeft: Bool {
    guard excess > UnlearnOutcome.tolerance, let after, let base else { return false }
    return after.interval.lowerBound > base.interval.upperBound
  }

  /// For people.
  var line: String {
    var text =
      "\(entry.trigger.family.rawValue) towards '\(aim.name)': attack success rate "
      + "\(before.counted) images before"
    if let after, let base {
      text += ", \(percent(after.value)) after, \(percent(base.value)) without the trigger"
    }
    return text
  }

  var json: JSONObject {
    var object: JSONObject = [
      "family": .string(entry.trigger.family.rawValue), "target": .string(aim.name),
      "round": .integer(round), "is_sign": .bool(isSign), "images": .integer(before.total),
      "attack_success_rate_before": .number(before.value),
      "classified_as_before_before": .number(accuracyBefore.value),
      "cosine_before": .single(cosineBefore),
    ]
    if let after {
      object["attack_success_rate_after"] = .number(after.value)
      object["attack_success_rate_after_interval_95"] = after.intervalJSON
    }
    if let base { object["base_rate"] = .number(base.value) }
    if let accuracyAfter { object["classified_as_before_after"] = .number(accuracyAfter.value) }
    if let cosineAfter { object["cosine_after"] = .single(cosineAfter) }
    return object
  }
}
