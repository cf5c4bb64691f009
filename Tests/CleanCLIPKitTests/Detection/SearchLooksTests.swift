import CleanCLIPKit
import Testing

@Suite struct SearchLooksTests {
  private static let usual: [Float] = [0.03, 0.035, 0.028, 0.031, 0.033, 0.029, 0.034, 0.038, 0.03]

  private func results(_ smallest: Float, searched: Int) -> [TriggerSearchResult] {
    ([smallest] + Self.usual).map { size in
      TriggerSearchResult(
        kind: .patch, trigger: nil, size: size, collapse: 0, direction: [], steps: 1,
        searched: searched)
    }
  }

  private func looks() throws -> SearchLooks {
    let plan = SearchPlan(kinds: TriggerKind.all, hasTargets: true)
    #expect(SearchLooks(.init(kind: .warp, isTargeted: true), of: plan, steps: 100) == nil)
    return try #require(SearchLooks(.init(kind: .patch, isTargeted: true), of: plan, steps: 100))
  }

  private func pValue(_ results: [TriggerSearchResult]) -> Double {
    OutlyingSizes(results.map(\.size), kind: .patch, source: .otherClasses).pValue
  }

  @Test func whatIsSettledEndsAtTheFirstLook() throws {
    let looks = try looks()
    let settled = results(0.0002, searched: 40)
    #expect(looks.isEnough(settled, after: 40))
    // Of the error, a twentieth is for this look, so that all looks together keep to it.
    #expect(abs(looks.corrected(pValue(settled), settled) / pValue(settled) - 20) < 1e-9)
    for step in [1, 39, 41, 60, 99, 100] { #expect(!looks.isEnough(settled, after: step)) }
    // Enough at the end, and not enough for a look.
    let likely = results(0.005, searched: 100)
    let corrected = looks.corrected(pValue(likely), likely)
    let limit = 0.01 / (16.0 / 3)
    #expect(abs(corrected - pValue(likely) / 0.95) < 1e-12)
    #expect(corrected < limit && 20 * pValue(likely) > limit)
    #expect(!looks.isEnough(results(0.005, searched: 40), after: 40))
  }

  @Test func whereNothingWorksAllEndButNotOneAlone() throws {
    let none = results(0.25, searched: 40)
    #expect(SearchLooks.areOver(none, after: 40, of: 100, by: nil))
    #expect(!SearchLooks.areOver(none, after: 50, of: 100, by: nil))
    #expect(!SearchLooks.areOver(Array(none.prefix(1)), after: 40, of: 100, by: nil))
    #expect(!SearchLooks.areOver(Array(none.prefix(1)), after: 50, of: 100, by: try looks()))
  }

  @Test func whatIsLikeTheOthersEndsHalfWay() throws {
    let looks = try looks()
    #expect(looks.isEnough(results(0.027, searched: 50), after: 50))
    #expect(!looks.isEnough(results(0.027, searched: 40), after: 40))
    let possible = results(0.01, searched: 50)
    try #require(pValue(possible) < 0.5 && pValue(possible) > 0.01)
    #expect(!looks.isEnough(possible, after: 50))
  }
}
