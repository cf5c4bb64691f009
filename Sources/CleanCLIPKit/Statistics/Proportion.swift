/// A counted fraction with its uncertainty.
package struct Proportion: Equatable, Sendable {
  package let successes: Int
  package let total: Int

  package init(_ successes: Int, of total: Int) {
    precondition(0 <= successes && successes <= total, "successes are among the trials")
    self.successes = successes
    self.total = total
  }

  /// The fraction; 0 of nothing.
  package var value: Double { total == 0 ? 0 : Double(successes) / Double(total) }

  /// The 95 % interval of Wilson (1927), which also holds for fractions near 0 and 1.
  ///
  /// ```
  /// (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)        z = 1.959964
  /// ```
  ///
  /// Of nothing it is 0…1.
  package var interval: ClosedRange<Double> {
    guard total > 0 else { return 0...1 }
    let z = 1.959963984540054
    let n = Double(total)
    let center = value + z * z / (2 * n)
    let spread = z * (value * (1 - value) / n + z * z / (4 * n * n)).squareRoot()
    let scale = 1 + z * z / n
    // At 0 and 1 the ends are exact but for rounding.
    let low = successes == 0 ? 0 : max(0, (center - spread) / scale)
    let high = successes == total ? 1 : min(1, (center + spread) / scale)
    return low...high
  }
}
