/// Findings of one check that have the same target, and speak for one backdoor.
package struct FoundBackdoor {
  /// The class or noun that was searched for, or that triggered images move to most.
  package let target: String
  /// The strongest first.
  package let findings: [TriggerFinding]

  /// The smallest p-value of the findings.
  package var pValue: Double { findings.map(\.pValue).min() ?? 1 }

  /// Groups what is suspicious by target, the strongest group first.
  static func groups(of findings: [TriggerFinding]) -> [FoundBackdoor] {
    var groups: [FoundBackdoor] = []
    for finding in findings.sorted(by: { $0.pValue < $1.pValue }) {
      guard finding.verdict != .clean,
        let target = finding.target ?? (finding.classes ?? finding.nouns)?.entries.first?.text
      else { continue }
      if let index = groups.firstIndex(where: { $0.target == target }) {
        groups[index] = FoundBackdoor(
          target: target, findings: groups[index].findings + [finding])
      } else {
        groups.append(FoundBackdoor(target: target, findings: [finding]))
      }
    }
    return groups
  }

  /// The group for machines.
  var json: JSONValue {
    [
      "target": .string(target), "p_value": .number(pValue),
      "kinds": .array(findings.map { .string($0.kind.name) }),
    ]
  }
}

extension ModelCheckResult {
  /// The backdoors that findings of the image tower speak for, each with a target of its own.
  package var backdoors: [FoundBackdoor] { FoundBackdoor.groups(of: imageFindings) }
}
