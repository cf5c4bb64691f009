/// Several tests of one hypothesis.
package enum MultipleTests {
  /// The p-value of the hypothesis that all are true: min over k of (m / k) p₍ₖ₎ with p₍₁₎ ≤ … ≤ p₍ₘ₎.
  ///
  /// Simes (1986, Biometrika 73:751), valid for independent and for positively dependent tests; at
  /// most Bonferroni's, and smaller when several tests agree.
  ///
  /// - Returns: 1 without tests.
  package static func simes(_ pValues: [Double]) -> Double {
    let count = Double(pValues.count)
    return pValues.sorted().enumerated().reduce(1) { smallest, next in
      min(smallest, next.element * count / Double(next.offset + 1))
    }
  }
}
