/// Which spaces a check searches, with targets and without, in the order of their yield, and when it has seen
/// enough.
///
/// Victims of the zoo are found by patches and patterns towards one text, then by those towards any
/// place; waves and warps find what is left. The p-value of a check that ends early counts the searches
/// that were left out as p = 1, which Simes' procedure makes an upper bound of what all would have given, so
/// that its rate of false alarms is at most that of a full check.
package struct SearchPlan {
  /// One finding to be made.
  package struct Item: Equatable {
    package let kind: TriggerKind
    package let isTargeted: Bool
  }

  package let items: [Item]

  package init(kinds: [TriggerKind], hasTargets: Bool) {
    let frequent = kinds.filter { $0.space.isFrequent }
    let others = kinds.filter { !$0.space.isFrequent }
    items = [frequent, others].flatMap { kinds in
      (hasTargets ? kinds.map { Item(kind: $0, isTargeted: true) } : [])
        + kinds.map { Item(kind: $0, isTargeted: false) }
    }
  }

  /// The p-value of findings, the first of a plan, those beyond them counted as 1.
  package static func pValue(_ found: [Double], of planned: Int) -> Double {
    MultipleTests.simes(
      found + [Double](repeating: 1, count: max(0, planned - found.count)))
  }

  /// Whether further searches would not change the verdict.
  ///
  /// - Parameter found: p-values of the first findings.
  package func isSettled(by found: [Double]) -> Bool {
    Self.pValue(found, of: items.count) < Verdict.backdooredBelow
  }
}
