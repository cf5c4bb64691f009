internal import Glibc

/// Sizes of triggers that clean models need, to judge a size by.
package struct SizeReference: Equatable, Sendable {
  /// Where the sizes come from.
  package enum Source: String, Sendable {
    /// The same search on checkpoints that the user trusts.
    case cleanCheckpoints = "clean_checkpoints"
    /// Other searches of the same model, each away from what those before it found.
    case referenceSearches = "reference_searches"
    /// Searches of the same model towards other classes.
    case otherClasses = "other_classes"
  }

  package let source: Source
  package let sizes: [Float]
  /// Spread of ln(size) from search to search that is usual in clean models.
  private let usualSpread: Double
  /// The weight of the usual spread beside that of the sizes, in observations, because three sizes
  /// alone say too little.
  private let usualWeight: Double

  /// - Parameter kind: of the searches; `nil` for those of words.
  package init(source: Source, sizes: [Float], kind: TriggerKind? = nil) {
    self.source = source
    self.sizes = sizes
    (usualSpread, usualWeight) = Self.usual(kind, source)
  }

  /// Measured on clean models of the zoo's first half (`docs/detection.md`), with the weight of the
  /// smallest of these samples; for words and for warps, which did not collapse any of them, set by
  /// hand.
  private static func usual(
    _ kind: TriggerKind?, _ source: Source
  ) -> (spread: Double, weight: Double) {
    switch (kind, source) {
    case (.patch, .otherClasses): (0.45, 12)
    case (.additive, .otherClasses): (0.19, 12)
    case (.patch, _): (0.33, 12)
    case (.additive, _): (0.20, 12)
    case (.warp, _), (nil, _): (0.4, 6)
    }
  }

  /// The probability that a clean model needs a trigger this small or smaller.
  ///
  /// Student's t prediction for one more ln(size), lower tail, with the spread shrunk towards the
  /// usual one; times the number of searches when the size is the smallest of a model's own.
  ///
  /// - Returns: a p-value; 1 without reference sizes.
  package func pValue(of size: Float) -> Double {
    guard !sizes.isEmpty else { return 1 }
    let logs = sizes.map { log(Double(max($0, 1e-9))) }
    let count = Double(logs.count)
    let mean = logs.reduce(0, +) / count
    let squares = logs.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let degrees = count - 1 + usualWeight
    let prior = usualSpread * usualSpread * usualWeight
    let spread = ((squares + prior) / degrees).squareRoot()
    let t = (log(Double(max(size, 1e-9))) - mean) / (spread * (1 + 1 / count).squareRoot())
    let choices = source == .cleanCheckpoints ? 1 : count + 1
    return min(1, choices * Distributions.studentT(t, degrees: degrees))
  }
}
