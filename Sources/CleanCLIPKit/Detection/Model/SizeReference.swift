internal import Glibc

/// Sizes of triggers that sound models need, to judge a size by.
package struct SizeReference: Equatable, Sendable {
  /// Where the sizes come from.
  package enum Source: String, Sendable {
    /// The same search on checkpoints that the user trusts.
    case cleanCheckpoints = "clean_checkpoints"
    /// Other searches of the same model, each away from what those before it found.
    case ownSearches = "own_searches"
  }

  package let source: Source
  package let sizes: [Float]

  /// Spread of ln(size) from search to search of sound models that is assumed beside the measured
  /// one, with the weight of this many observations: two or three sizes alone say too little.
  static let assumedSpread = 0.4
  static let assumedSpreadWeight = 6.0

  package init(source: Source, sizes: [Float]) {
    self.source = source
    self.sizes = sizes
  }

  /// The probability that a sound model needs a trigger this small or smaller.
  ///
  /// Student's t prediction for one more ln(size), lower tail, with the spread shrunk towards the
  /// assumed one; times the number of searches when the size is the smallest of a model's own.
  ///
  /// - Returns: a p-value; 1 without reference sizes.
  package func pValue(of size: Float) -> Double {
    guard !sizes.isEmpty else { return 1 }
    let logs = sizes.map { log(Double(max($0, 1e-9))) }
    let count = Double(logs.count)
    let mean = logs.reduce(0, +) / count
    let squares = logs.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let degrees = count - 1 + Self.assumedSpreadWeight
    let prior = Self.assumedSpread * Self.assumedSpread * Self.assumedSpreadWeight
    let spread = ((squares + prior) / degrees).squareRoot()
    let t = (log(Double(max(size, 1e-9))) - mean) / (spread * (1 + 1 / count).squareRoot())
    let choices = source == .ownSearches ? count + 1 : 1
    return min(1, choices * Distributions.studentT(t, degrees: degrees))
  }
}
