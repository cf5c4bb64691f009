internal import Glibc

/// Tail probabilities.
package enum Distributions {
  /// P(Z ≤ z) of the standard normal distribution.
  package static func normal(_ z: Double) -> Double { 0.5 * erfc(-z / 2.0.squareRoot()) }

  /// P(T ≤ t) of Student's t distribution with `degrees` degrees of freedom.
  ///
  /// - Parameter degrees: positive.
  package static func studentT(_ t: Double, degrees: Double) -> Double {
    guard t.isFinite else { return t > 0 ? 1 : 0 }
    let tail =
      0.5 * regularizedBeta(degrees / (degrees + t * t), a: degrees / 2, b: 0.5)
    return t > 0 ? 1 - tail : tail
  }

  /// ln P(X ≥ successes) of the binomial distribution.
  ///
  /// - Parameter rate: the probability of a success, in 0 … 1.
  package static func logBinomialTail(successes: Int, trials: Int, rate: Double) -> Double {
    guard successes > 0 else { return 0 }
    guard rate > 0, successes <= trials else { return -.infinity }
    guard rate < 1 else { return 0 }
    return log(
      max(
        1e-300,
        regularizedBeta(rate, a: Double(successes), b: Double(trials - successes + 1))))
  }

  /// P(X ≥ successes) of the beta-binomial distribution: a binomial one whose rate is drawn from
  /// Beta(a, b).
  ///
  /// - Parameters:
  ///   - a: positive.
  ///   - b: positive.
  /// - Complexity: O(trials).
  package static func betaBinomialTail(
    successes: Int, trials: Int, a: Double, b: Double
  ) -> Double {
    guard successes > 0 else { return 1 }
    guard successes <= trials else { return 0 }
    func logBeta(_ x: Double, _ y: Double) -> Double { lgamma(x) + lgamma(y) - lgamma(x + y) }
    let n = Double(trials)
    var tail = 0.0
    for count in successes...trials {
      let k = Double(count)
      let ways = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
      tail += exp(ways + logBeta(k + a, n - k + b) - logBeta(a, b))
    }
    return min(1, tail)
  }

  /// I_x(a, b), by the continued fraction of Lentz (Numerical Recipes, section 6.4).
  static func regularizedBeta(_ x: Double, a: Double, b: Double) -> Double {
    guard x > 0 else { return 0 }
    guard x < 1 else { return 1 }
    let front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x))
    // The fraction converges fast on this side of the mean; the other follows by symmetry.
    if x < (a + 1) / (a + b + 2) { return front * betaFraction(x, a, b) / a }
    return 1 - front * betaFraction(1 - x, b, a) / b
  }

  private static func betaFraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
    let tiny = 1e-300
    func nonZero(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
    var c = 1.0
    var d = 1 / nonZero(1 - (a + b) * x / (a + 1))
    var fraction = d
    for step in 1...300 {
      let m = Double(step)
      let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
      d = 1 / nonZero(1 + even * d)
      c = nonZero(1 + even / c)
      fraction *= d * c
      let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
      d = 1 / nonZero(1 + odd * d)
      c = nonZero(1 + odd / c)
      fraction *= d * c
      if abs(d * c - 1) < 1e-12 { break }
    }
    return fraction
  }
}
