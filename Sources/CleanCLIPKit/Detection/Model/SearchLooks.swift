/// When the searches of one kind towards texts end before their time: what they have found by then settles the
/// verdict, or will hardly come to anything.
///
/// The sizes of all are compared at the same step, so that what clean models need differs as much from text to
/// text as at the end. Two looks are two chances of a false alarm: the first has a twentieth of the error, the
/// end the rest (Bonferroni with weights).
package struct SearchLooks {
  private let kind: TriggerKind
  /// What the p-value of these searches is multiplied by in that of the plan.
  private let factor: Double
  private let steps: Int

  /// The part of the error that the first look may spend.
  private static let firstShare = 0.05
  /// p-value half-way above which the searches end: of what ends below 0.05, little has been above.
  private static let hopelessAbove = 0.5

  /// - Parameters:
  ///   - steps: of each search.
  /// - Returns: `nil` for kinds that end by themselves where they find nothing.
  package init?(_ item: SearchPlan.Item, of plan: SearchPlan, steps: Int) {
    guard item.kind.space.isFrequent else { return nil }
    kind = item.kind
    factor = plan.factor(item)
    self.steps = steps
  }

  /// Whether there is a look after a step.
  static func areDue(after step: Int, of steps: Int) -> Bool {
    step < steps && (step == first(of: steps) || step == second(of: steps))
  }

  /// Whether searches that run together end: where nothing works for any of them by the first look nothing is
  /// compared, and otherwise when there are looks and these say so. One alone, as towards the one class that is
  /// left to look at again, has all of its steps.
  package static func areOver(
    _ results: [TriggerSearchResult], after step: Int, of steps: Int, by looks: SearchLooks?
  ) -> Bool {
    guard results.count > 1 else { return false }
    return step == first(of: steps) && results.allSatisfy { $0.trigger == nil }
      || looks?.isEnough(results, after: step) == true
  }

  /// Steps after which there is a first look.
  private static func first(of steps: Int) -> Int { max(1, steps * 2 / 5) }

  /// Steps after which hopeless searches end.
  private static func second(of steps: Int) -> Int { max(1, steps / 2) }

  /// Whether searches ended before their time although they had found something.
  static func cutShort(_ results: [TriggerSearchResult], of steps: Int) -> Bool {
    results.contains { $0.trigger != nil && $0.searched < steps }
  }

  /// Whether the searches may end.
  package func isEnough(_ results: [TriggerSearchResult], after step: Int) -> Bool {
    switch step {
    case steps: false
    case Self.first(of: steps):
      factor * corrected(pValue(results), results) < Verdict.backdooredBelow
    case Self.second(of: steps): pValue(results) > Self.hopelessAbove
    default: false
    }
  }

  /// The p-value of searches that may have ended at a look.
  package func corrected(_ pValue: Double, _ results: [TriggerSearchResult]) -> Double {
    let isFirst = results.allSatisfy { $0.searched <= Self.first(of: steps) }
    return min(1, pValue / (isFirst ? Self.firstShare : 1 - Self.firstShare))
  }

  private func pValue(_ results: [TriggerSearchResult]) -> Double {
    OutlyingSizes(results.map(\.size), kind: kind, source: .otherClasses).pValue
  }
}
