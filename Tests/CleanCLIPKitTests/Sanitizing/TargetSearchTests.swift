import CleanCLIPKit
import Testing

@Suite struct TargetSearchTests {
  private func found(
    _ kind: TriggerKind, _ target: Int, size: Float, success: Int = 90
  ) -> TargetSearch.Found {
    TargetSearch.Found(
      kind: kind, target: target,
      search: TriggerSearchResult(
        kind: kind, trigger: nil, size: size, collapse: 0, direction: [], steps: 1, searched: 1),
      success: Proportion(success, of: 100))
  }

  private let usual: [Float] = [0.03, 0.035, 0.028, 0.031, 0.033, 0.029, 0.034]

  private func patches(_ small: [Float], success: Int = 90) -> [TargetSearch.Found] {
    (small + usual).enumerated().map { index, size in
      found(.patch, index, size: size, success: success)
    }
  }

  @Test func aClassThatIsMuchCheaperIsASuspect() {
    let suspects = TargetSearch.suspects(among: patches([0.003]))
    #expect(suspects.map(\.target) == [0])
    #expect(suspects[0].pValue < 0.01)
    #expect(TargetSearch.suspects(among: patches([])).isEmpty)
  }

  @Test func kindsThatAgreeAreEnough() {
    func searches(_ kind: TriggerKind, _ smallest: Float) -> [TargetSearch.Found] {
      ([smallest] + usual).enumerated().map { index, size in found(kind, index, size: size) }
    }
    func targets(patch: Float, additive: Float) -> [Int] {
      TargetSearch.suspects(
        among: searches(.patch, patch) + searches(.additive, additive)
          + searches(.warp, 0.032) + searches(.sinusoid, 0.032)
      ).map(\.target)
    }
    // p of about 0.015 each: one of four kinds says nothing.
    #expect(targets(patch: 0.0085, additive: 0.032).isEmpty)
    #expect(targets(patch: 0.032, additive: 0.0175).isEmpty)
    #expect(targets(patch: 0.0085, additive: 0.0175) == [0])
  }

  @Test func aSearchWithoutATargetSpeaksForTheClassThatItLedTo() {
    func suspects(size: Float, success: Int = 90) -> [TargetSearch.Suspect] {
      let anywhere = TargetSearch.Found(
        kind: .patch, target: 2,
        search: TriggerSearchResult(
          kind: .patch, trigger: nil, size: size, collapse: 1, direction: [], steps: 1, searched: 1),
        success: Proportion(success, of: 100),
        reference: SizeReference(
          source: .referenceSearches, sizes: [0.03, 0.03, 0.055], kind: .patch))
      return TargetSearch.suspects(among: patches([]) + [anywhere])
    }
    #expect(suspects(size: 0.004).map(\.target) == [2])
    #expect(suspects(size: 0.025).isEmpty)
    #expect(suspects(size: 0.004, success: 40).isEmpty)
  }

  @Test func oneBackdoorDoesNotHideAnother() {
    #expect(
      Set(TargetSearch.suspects(among: patches([0.003, 0.0035])).map(\.target)) == [0, 1])
  }

  @Test func whatFailsOnHeldOutImagesIsNone() {
    #expect(TargetSearch.suspects(among: patches([0.003], success: 40)).isEmpty)
  }

  @Test func theLikeliestAreThoseOfTheSmallestTriggers() {
    #expect(TargetSearch.suspects(among: patches([0.014])).isEmpty)
    let likeliest = TargetSearch.likeliest(
      among: patches([0.014])
        + [0.02, 0.03, 0.031, 0.032, 0.033, 0.03, 0.031].enumerated().map { index, size in
          found(.additive, index + 1, size: size)
        })
    #expect(likeliest.map(\.target) == [1, 0])
    #expect(TargetSearch.likeliest(among: patches([])).isEmpty)
    #expect(TargetSearch.likeliest(among: patches([0.014], success: 40)).isEmpty)
  }

  @Test func theSameClassIsJudgedByTheModelAsItWas() {
    let before = patches([0.003])
    let cleaned = TargetSearch.compared(
      [found(.patch, 0, size: 0.03)], with: before, without: [0])
    #expect(cleaned[0].pValue > 0.5)
    let left = TargetSearch.compared([found(.patch, 0, size: 0.003)], with: before, without: [0])
    #expect(left[0].pValue < TargetSearch.level)
  }
}
