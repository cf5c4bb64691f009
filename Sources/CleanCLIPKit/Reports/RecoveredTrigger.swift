/// A trigger that a method recovered and what it did, read from the outcome in its history.
struct RecoveredTrigger: Equatable, Sendable {
  let family: String
  let target: String
  /// Whether the verdict depends on it.
  let isSign: Bool
  /// Attack success rates on the model as it was and as it is, and the rate of the target without it.
  let before: Double
  let after: Double?
  let base: Double?

  /// The triggers of an outcome, which may come from any file; what is of another form is left out.
  static func all(of outcome: JSONObject) -> [RecoveredTrigger] {
    (outcome["triggers"]?.array ?? []).compactMap { trigger in
      guard let family = trigger["family"]?.string, let target = trigger["target"]?.string,
        let before = trigger["attack_success_rate_before"]?.double
      else { return nil }
      return RecoveredTrigger(
        family: family, target: target, isSign: trigger["is_sign"]?.bool ?? true, before: before,
        after: trigger["attack_success_rate_after"]?.double, base: trigger["base_rate"]?.double)
    }
  }
}

extension RunReport {
  /// What was recovered, on images and as a table; nothing where nothing was.
  var recoveredCards: [String] {
    var cards: [String] = []
    if !recoveredExamples.isEmpty {
      cards.append(
        Self.card(
          "Recovered triggers",
          note: "Held-out images as the model sees them: clean, and with a trigger that was found "
            + "in the model.", recoveredExamples))
    }
    guard !recovered.isEmpty else { return cards }
    let head = ["Trigger", "Before", "After", "Without it"].enumerated().map { (column, name) in
      "<th\(column == 0 ? "" : " class=\"number\"")>\(name)</th>"
    }
    let rows = recovered.map { trigger in
      let rates = [trigger.before, trigger.after, trigger.base].map { rate in
        "<td class=\"number\">\(rate.map { percent($0) } ?? "–")</td>"
      }
      let name = "\(trigger.family) towards “\(trigger.target)”" + (trigger.isSign ? "" : " *")
      return "<tr><th>\(escaped(name))</th>\(rates.joined())</tr>"
    }
    cards.append(
      HTMLPage.card(
        "Attack success of recovered triggers",
        note:
          "Fraction of held-out images of other classes that are classified as the target, before and "
          + "after sanitizing, and without a trigger."
          + (recovered.allSatisfy(\.isSign)
            ? "" : " *: unlearned too; the verdict does not depend on it."),
        "<table><thead><tr>\(head.joined())</tr></thead><tbody>\(rows.joined())</tbody></table>"))
    return cards
  }
}

extension SanitizeVerdict {
  /// What the first card of a report says.
  var headline: String {
    switch self {
    case .removed: "A backdoor was found and removed"
    case .weakened: "A backdoor was found and weakened"
    case .nothingFound: "No backdoor was found"
    case .notRemoved: "A backdoor was found and not removed"
    }
  }

  var mark: PageMark {
    switch self {
    case .removed: .good
    case .weakened: .fair
    case .nothingFound: .neutral
    case .notRemoved: .bad
    }
  }
}
