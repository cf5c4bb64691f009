/// Several tests of one hypothesis.
package enum MultipleTests {
  /// The p-value of the hypothesis that all are true: min over k of p₍ₖ₎ m / (w₍₁₎ + … + w₍ₖ₎) with
  /// p₍₁₎ ≤ … ≤ p₍ₘ₎ and weights of mean 1.
  ///
  /// Simes (1986, Biometrika 73:751), with the weights of Hochberg and Liberman (1994, Statistics and
  /// Probability Letters 21:101); valid for independent and for positively dependent tests; at most
  /// Bonferroni's, and smaller when several tests agree.
  ///
  /// - Parameter weights: positive, one for each test, brought to a mean of 1; equal ones when `nil`. They
  ///   must not depend on the p-values.
  /// - Returns: 1 without tests.
  package static func simes(_ pValues: [Double], weights: [Double]? = nil) -> Double {
    let weights = weights ?? [Double](repeating: 1, count: pValues.count)
    precondition(weights.count == pValues.count, "one weight for each test")
    let total = weights.reduce(0, +)
    var sum = 0.0
    var smallest = 1.0
    for (pValue, weight) in zip(pValues, weights).sorted(by: { $0.0 < $1.0 }) {
      sum += weight
      smallest = min(smallest, pValue * total / sum)
    }
    return smallest
  }
}
