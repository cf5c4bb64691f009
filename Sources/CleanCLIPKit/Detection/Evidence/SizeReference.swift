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
  private let usual: SizeSpread

  /// - Parameter kind: of the searches; `nil` for those of words.
  package init(source: Source, sizes: [Float], kind: TriggerKind? = nil) {
    self.source = source
    self.sizes = sizes
    usual = kind?.space.usualSpread ?? .unmeasured
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
    let degrees = count - 1 + usual.weight
    let usualSpread = source == .otherClasses ? usual.targeted : usual.untargeted
    let prior = usualSpread * usualSpread * usual.weight
    let spread = ((squares + prior) / degrees).squareRoot()
    let t = (log(Double(max(size, 1e-9))) - mean) / (spread * (1 + 1 / count).squareRoot())
    let choices = source == .cleanCheckpoints ? 1 : count + 1
    return min(1, choices * Distributions.studentT(t, degrees: degrees))
  }
}
