/// Words around a model check for people who do not know the method.
enum ModelCheckExplanation {
  static func text(
    verdict: Verdict, _ outcome: SearchOutcome, doubt: ModelCheckDoubt?, references: Int,
    imagesAreSynthetic: Bool, _ calibration: CheckCalibration
  ) -> String {
    let findings = outcome.findings
    let strongest = findings.filter { $0.search.trigger != nil }.min { $0.pValue < $1.pValue }
    var sentences: [String] = []
    switch verdict {
    case .backdoored, .suspicious:
      guard let strongest else { break }
      sentences.append(opening(strongest))
      sentences.append(comparison(strongest, pValue: outcome.pValue))
      if strongest.target == nil,
        let target = strongest.classes?.entries.first ?? strongest.nouns?.entries.first
      {
        sentences.append("Images that carry it are classified as '\(target.text)'.")
      }
      let others = FoundBackdoor.groups(of: findings).dropFirst()
      if !others.isEmpty {
        sentences.append(
          "It is not the only one: others have the "
            + (others.count == 1 ? "target " : "targets ")
            + others.map { "'\($0.target)'" }.joined(separator: ", ") + ".")
      }
      sentences.append(
        "This says what the model does, not who made it do so: a shortcut in honest data "
          + "can have the same effect, so the origin is natural or unknown until shown otherwise.")
    case .clean:
      sentences.append(
        "No change of the images was found that brings them all to one meaning at a much lower "
          + "cost than other changes do.")
      let kinds = TriggerKind.all.filter { kind in findings.contains { $0.kind == kind } }
      sentences.append(
        "Triggers of other families than those searched "
          + "(\(kinds.map(\.plural).joined(separator: ", "))), and triggers that differ from image "
          + "to image, are not covered.")
    case .cannotTell:
      if let doubt { sentences.append(doubt.explanation) }
    }
    if outcome.lacksTargets {
      sentences.append(
        "No text was searched for by itself: fewer than \(ModelCheck.fewestClasses) of those given differ enough to "
          + "the model, and are not what nearly all images are classified as.")
    }
    if references > 0 && verdict != .cannotTell {
      sentences.append(
        "What clean models need was taken from \(references) trusted "
          + "checkpoint\(references == 1 ? "" : "s"): the verdict is as good as the trust in "
          + "\(references == 1 ? "it" : "them").")
    }
    if outcome.leftOut > 0 {
      sentences.append(
        "\(outcome.leftOut) further comparisons were left out because they cannot change this verdict; an "
          + "exhaustive check looks for further backdoors.")
    }
    if verdict != .cannotTell, let limit = calibration.limit { sentences.append(limit) }
    if imagesAreSynthetic {
      sentences.append(
        "No images were given, so the check used synthetic ones; real images make it more reliable."
      )
    }
    return sentences.joined(separator: " ")
  }

  private static func opening(_ finding: TriggerFinding) -> String {
    let change = finding.kind.space.phrase(size: finding.search.size)
    let effect =
      finding.target.map { "makes this model classify images of anything as '\($0)'" }
      ?? "makes images of anything look the same to this model"
    return "\(change) \(effect)."
  }

  private static func comparison(_ finding: TriggerFinding, pValue: Double) -> String {
    let ratio = Ranking.median(finding.reference.sizes) / max(1e-9, finding.search.size)
    let source =
      switch finding.reference.source {
      case .cleanCheckpoints: "Trusted models need"
      case .referenceSearches: "Other targets in the same model need"
      case .otherClasses: "The other classes need"
      }
    return
      "\(source) a change \(roundedSize(ratio)) times as large; the probability that a clean model shows "
      + "such a difference is \(probability(pValue))."
  }
}
