internal import Glibc

/// A mixture of two normal distributions of one variable, fitted by expectation maximisation.
package struct GaussianMixture: Equatable, Sendable {
  /// One of the two distributions.
  package struct Component: Equatable, Sendable {
    package var weight: Double
    package var mean: Double
    package var variance: Double

    func logDensity(_ x: Double) -> Double {
      let d = x - mean
      return log(max(weight, 1e-300)) - 0.5 * (log(2 * Double.pi * variance) + d * d / variance)
    }
  }

  /// The component with the lower mean.
  package private(set) var low: Component
  /// The component with the higher mean.
  package private(set) var high: Component
  /// Steps until the likelihood stood still.
  package private(set) var iterations = 0

  /// Fits values.
  ///
  /// The components start at the two tails (the mean of the lowest and of the highest twentieth) so
  /// that a small group at one end is found. Variances do not fall below a millionth of the total,
  /// which keeps a component from collapsing onto one value.
  ///
  /// - Throws: `invalidArgument` for fewer than 4 values, or values that are not finite or all
  ///   equal.
  package init(_ values: [Float]) throws(CLIPError) {
    guard values.count >= 4, values.allSatisfy(\.isFinite) else {
      throw CLIPError(
        .invalidArgument,
        "mixture: the values cannot be fitted; expected at least 4 finite numbers, "
          + "got \(values.count)")
    }
    let sorted = values.sorted().map(Double.init)
    let count = Double(sorted.count)
    let mean = sorted.reduce(0, +) / count
    let variance = sorted.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
    guard variance > 0 else {
      throw CLIPError(
        .invalidArgument,
        "mixture: all values are equal; expected values that differ, got \(sorted[0])")
    }
    let tail = max(1, sorted.count / 20)
    let lowest = sorted.prefix(tail).reduce(0, +) / Double(tail)
    let highest = sorted.suffix(tail).reduce(0, +) / Double(tail)
    low = Component(weight: 0.5, mean: lowest, variance: variance / 4)
    high = Component(weight: 0.5, mean: highest, variance: variance / 4)
    fit(sorted, floor: variance * 1e-6)
    if low.mean > high.mean { swap(&low, &high) }
  }

  private mutating func fit(_ values: [Double], floor: Double) {
    var previous = -Double.infinity
    for iteration in 1...500 {
      iterations = iteration
      var likelihood = 0.0
      var weight = 0.0
      var sumLow = 0.0
      var sumHigh = 0.0
      var squaresLow = 0.0
      var squaresHigh = 0.0
      for x in values {
        let a = low.logDensity(x)
        let b = high.logDensity(x)
        let top = max(a, b)
        let total = top + log(exp(a - top) + exp(b - top))
        let p = exp(a - total)
        likelihood += total
        weight += p
        sumLow += p * x
        sumHigh += (1 - p) * x
        squaresLow += p * x * x
        squaresHigh += (1 - p) * x * x
      }
      let rest = Double(values.count) - weight
      guard weight > 1e-9, rest > 1e-9 else { return }
      low.weight = weight / Double(values.count)
      high.weight = rest / Double(values.count)
      low.mean = sumLow / weight
      high.mean = sumHigh / rest
      low.variance = max(floor, squaresLow / weight - low.mean * low.mean)
      high.variance = max(floor, squaresHigh / rest - high.mean * high.mean)
      if likelihood - previous < 1e-9 * abs(likelihood) { return }
      previous = likelihood
    }
  }

  /// ln of the odds that `x` belongs to the low component, given the fit.
  ///
  /// Above both means the odds are those at the higher mean, so that a wide low component does not
  /// claim the far end of the high one.
  package func lowLogOdds(_ x: Float) -> Float {
    let value = min(Double(x), high.mean)
    return Float(low.logDensity(value) - high.logDensity(value))
  }

  /// The probability that `x` belongs to the low component.
  package func lowProbability(_ x: Float) -> Float { 1 / (1 + expf(-lowLogOdds(x))) }
}
