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

    package init(kind: TriggerKind, isTargeted: Bool) {
      self.kind = kind
      self.isTargeted = isTargeted
    }

    /// In the combined p-value: what yields more weighs more.
    var weight: Double { (kind.space.isFrequent ? 2 : 1) + (isTargeted ? 1 : 0) }
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

  /// The p-value of the plan, from those of its first items, the others counted as 1.
  package func pValue(_ found: [Double]) -> Double {
    MultipleTests.simes(
      found + [Double](repeating: 1, count: items.count - found.count),
      weights: items.map(\.weight))
  }

  /// What the p-value of one item alone is multiplied by.
  func factor(_ item: Item) -> Double { items.map(\.weight).reduce(0, +) / item.weight }

  /// Whether further searches would not change the verdict.
  ///
  /// - Parameter found: p-values of the first items.
  package func isSettled(by found: [Double]) -> Bool {
    pValue(found) < Verdict.backdooredBelow
  }
}

/// What the searches of a check came to.
struct SearchOutcome {
  let findings: [TriggerFinding]
  /// Of all items of the plan, those left out counted as 1.
  let pValue: Double
  /// Texts that were searched for.
  let targets: [String]
  /// Items of the plan that were not searched.
  let leftOut: Int
  /// Whether there are texts, and too few of them differ to be searched for.
  var lacksTargets = false
  /// Mean cosine of two held-out images as they are.
  var cleanCollapse: Float = 0
}
