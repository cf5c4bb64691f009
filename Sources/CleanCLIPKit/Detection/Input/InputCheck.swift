internal import Glibc

/// What is concluded of one image.
package struct InputFinding: Equatable, Sendable {
  package let signals: InputSignals
  package let score: Float
  /// The fraction of clean images that score as high: conformal.
  package let pValue: Double
  /// Whether the score is above the threshold.
  package let isFlagged: Bool
}

/// Judges images at serving time by their features: does one carry a trigger?
///
/// The threshold keeps the false-alarm rate that was asked for on images like those of the bank,
/// by conformal prediction with each clean image judged by the others of the bank (the jackknife,
/// Barber et al. 2021). An image to be judged has one reference more than they had, which makes
/// its score lower if anything, so that the promise errs on the side of fewer alarms.
package struct InputCheck: Sendable {
  package static let defaultFalseAlarmRate = 0.01

  package let threshold: ConformalThreshold
  /// Scores of the bank's own images.
  package let cleanScores: [Float]
  private let scorer: SendableScorer
  private let bank: CleanBank

  // Sendable: a scorer is immutable, and its tensors are never written once made.
  private struct SendableScorer: @unchecked Sendable {
    let scorer: InputScorer
  }

  /// - Parameters:
  ///   - bank: clean images; 200 are enough for a rate of 1 %.
  ///   - falseAlarmRate: promised fraction of clean images that are flagged.
  /// - Throws: `invalidArgument` when the bank is too small for the rate.
  package init(bank: CleanBank, falseAlarmRate: Double) throws(CLIPError) {
    let scorer = try InputScorer(bank)
    cleanScores = scorer.bankSignals.map(\.score)
    threshold = try ConformalThreshold(scores: cleanScores, falseAlarmRate: falseAlarmRate)
    self.scorer = SendableScorer(scorer: scorer)
    self.bank = bank
  }

  private var embedDim: Int { bank.imageFeatures.shape[1] }

  /// Judges images by their features.
  ///
  /// - Parameter imageFeatures: `[m, E]`, unnormalized; `m` may be 0.
  /// - Throws: `shape` for features of another width; `invalidArgument` for NaN.
  package func findings(_ imageFeatures: Tensor) throws(CLIPError) -> [InputFinding] {
    try FeatureMatrix.validate(
      imageFeatures, name: "check input", remedy: "leave the image out")
    guard imageFeatures.shape[1] == embedDim else {
      throw CLIPError(
        .shape,
        "check input: features do not fit the bank; expected width \(embedDim), "
          + "got \(imageFeatures.shape[1]); make the bank with this model")
    }
    guard imageFeatures.shape[0] > 0 else { return [] }
    try bank.checkLengths(of: imageFeatures, name: "check input")
    return try scorer.scorer.signals(imageFeatures).map { signals in
      let score = signals.score
      return InputFinding(
        signals: signals, score: score,
        pValue: ConformalThreshold.pValue(score, cleanScores: cleanScores),
        isFlagged: score > threshold.value)
    }
  }

  /// Tells whether images are of another kind than those of the bank.
  ///
  /// - Parameters:
  ///   - imageFeatures: `[m, E]`, unnormalized.
  ///   - findings: of the same images.
  package func shift(
    of imageFeatures: Tensor, _ findings: [InputFinding]
  ) throws(CLIPError) -> InputShift {
    try InputShift(
      findings, features: imageFeatures, bank: bank.imageFeatures, cleanScores: cleanScores,
      threshold: threshold)
  }
}
