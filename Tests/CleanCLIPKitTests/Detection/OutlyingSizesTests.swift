import CleanCLIPKit
import Glibc
import Testing

@Suite struct OutlyingSizesTests {
  private let usual: [Float] = [0.03, 0.035, 0.028, 0.031, 0.033, 0.029, 0.034, 0.04]

  private func outlying(_ small: [Float]) -> OutlyingSizes {
    OutlyingSizes(small + usual, kind: .patch, source: .otherClasses)
  }

  @Test func oneSmallSizeIsJudgedByTheOthers() {
    let found = outlying([0.003])
    #expect(found.members == [0])
    #expect(found.reference.sizes == usual)
    // The weight of one is 0.8.
    let alone = SizeReference(source: .otherClasses, sizes: usual, kind: .patch).pValue(of: 0.003)
    #expect(abs(found.pValue - alone / 0.8) < 1e-15)
  }

  @Test func equalBackdoorsDoNotHideEachOther() {
    for small in [[0.003, 0.0032], [0.003, 0.0032, 0.0029]] as [[Float]] {
      let found = outlying(small)
      #expect(Set(found.members) == Set(small.indices))
      #expect(found.reference.sizes == usual)
      #expect(found.pValue < 0.01)
      let hidden = SizeReference(
        source: .otherClasses, sizes: Array(small.dropFirst()) + usual, kind: .patch)
      #expect(hidden.pValue(of: small[0]) > 3 * found.pValue)
    }
  }

  @Test func inACleanModelNothingStandsOut() {
    let found = outlying([])
    #expect(found.pValue > 0.5)
    // Four are too few for more than one.
    #expect(OutlyingSizes([1, 2, 3, 4], kind: .patch, source: .otherClasses).members == [0])
  }

  @Test func falseAlarmsAreAsPromised() {
    // Sizes of clean models, with the spread that is usual towards classes.
    var random = RandomNumbers(seed: 7)
    let trials = 2000
    var alarms = 0
    for _ in 0..<trials {
      let sizes = (0..<10).map { _ in natural(0.45 * random.normal()) }
      let found = OutlyingSizes(sizes, kind: .patch, source: .otherClasses)
      if found.pValue < 0.05 { alarms += 1 }
    }
    // 100 are expected at most; 139 would be four standard deviations more.
    #expect(alarms < 139)
  }

  /// A size from its logarithm.
  private func natural(_ x: Float) -> Float { expf(x) }
}
