/// Whether images are of another kind than those of a bank, for which no rate of false alarms is promised.
///
/// A trigger is on some images and makes them alike; a shift of the traffic moves all of them, and leaves them as
/// diverse as they are.
package struct InputShift: Equatable, Sendable {
  /// Of the images that are not flagged, those with a score above the middle of the bank's own: half, of
  /// images like these.
  package let farther: Proportion
  /// How likely images like those of the bank are as far from it.
  package let pValue: Double
  /// Images that are flagged, of all.
  package let flagged: Proportion
  /// Mean pairwise cosine of the bank's images, and of the flagged ones; 0 for fewer than two.
  package let cleanCosine: Float
  package let flaggedCosine: Float

  /// Fraction of images beyond the middle from which a shift is one, however many images show it.
  private static let smallest = 0.65

  /// Whether the images have moved, beside those that are flagged or as these.
  package var isFound: Bool {
    (pValue < Verdict.backdooredBelow && farther.value > Self.smallest) || flagged.value > 0.5
  }

  /// Whether flagged images are as much alike as a trigger makes them.
  package var flaggedAreAlike: Bool { CollapseLoss.isConfirmed(flaggedCosine, from: cleanCosine) }

  /// - Parameters:
  ///   - findings: of the images.
  ///   - features: theirs, `[n, E]`, of any length.
  ///   - bank: those of the bank, `[m, E]`.
  ///   - cleanScores: scores of the bank's own images.
  ///   - threshold: above which an image is flagged.
  init(
    _ findings: [InputFinding], features: Tensor, bank: Tensor, cleanScores: [Float],
    threshold: ConformalThreshold
  ) throws(CLIPError) {
    let own = cleanScores.filter { $0 <= threshold.value }.sorted()
    let rank = max(1, own.count / 2)
    let middle = own.isEmpty ? threshold.value : own[rank - 1]
    let quiet = findings.filter { !$0.isFlagged }
    farther = Proportion(quiet.count { $0.score > middle }, of: quiet.count)
    pValue = Distributions.betaBinomialTail(
      successes: farther.successes, trials: quiet.count, a: Double(max(1, own.count + 1 - rank)),
      b: Double(rank))
    let rows = findings.indices.filter { findings[$0].isFlagged }
    flagged = Proportion(rows.count, of: findings.count)
    cleanCosine = try Self.cosine(bank)
    flaggedCosine = rows.count < 2 ? 0 : try Self.cosine(try FeatureMatrix.gather(features, rows))
  }

  private static func cosine(_ features: Tensor) throws(CLIPError) -> Float {
    FeatureMatrix.meanPairwiseCosine(
      try Tape(isRecording: false).normalize(Variable(features)).value)
  }

  /// For machines.
  var json: JSONValue {
    [
      "found": .bool(isFound), "farther": .number(farther.value), "p_value": .number(pValue),
      "flagged_cosine": .single(flaggedCosine), "bank_cosine": .single(cleanCosine),
    ]
  }
}
