internal import Glibc

/// A threshold with a promised false-alarm rate, from scores of clean samples.
///
/// Split conformal prediction: with n clean scores and t the ⌈(n + 1)(1 - α)⌉-th smallest, a
/// further clean sample, exchangeable with the others, scores above t with probability at most α
/// (Vovk, Gammerman and Shafer 2005).
package struct ConformalThreshold: Equatable, Sendable {
  /// Samples that score above are flagged.
  package let value: Float
  /// α, promised on average over calibration sets.
  package let falseAlarmRate: Double
  /// n.
  package let samples: Int
  /// Which of the scores the threshold is, from 1 for the smallest.
  package let rank: Int

  /// - Parameters:
  ///   - scores: of clean samples; higher is more suspicious.
  ///   - falseAlarmRate: α, in 0 … 1 exclusive.
  /// - Throws: `invalidArgument` for NaN scores, a rate outside, or too few scores for the rate:
  ///   α must be at least 1 / (n + 1).
  package init(scores: [Float], falseAlarmRate: Double) throws(CLIPError) {
    guard falseAlarmRate > 0, falseAlarmRate < 1 else {
      throw CLIPError(
        .invalidArgument,
        "calibration: the false-alarm rate is out of range; expected a number between 0 and 1, "
          + "got \(falseAlarmRate)")
    }
    guard !scores.contains(where: \.isNaN) else {
      throw CLIPError(
        .invalidArgument, "calibration: a score is not a number; expected numbers, got NaN")
    }
    let count = scores.count
    // The subtrahend keeps a product that is whole but for its last digit from being rounded up.
    let rank = Int((Double(count + 1) * (1 - falseAlarmRate) - 1e-9).rounded(.up))
    guard rank <= count, rank > 0 else {
      let needed = Int(min(1e9, (1 / falseAlarmRate - 1 - 1e-9).rounded(.up)))
      throw CLIPError(
        .invalidArgument,
        "calibration: there are too few clean samples for a false-alarm rate of "
          + "\(falseAlarmRate); expected at least \(needed), got \(count); add clean samples or "
          + "allow more false alarms")
    }
    value = scores.sorted()[rank - 1]
    self.falseAlarmRate = falseAlarmRate
    samples = count
    self.rank = rank
  }

  /// The probability that as many of further clean samples score above.
  ///
  /// The fraction of a continuous distribution above the r-th smallest of n of its samples is
  /// Beta(n + 1 - r, r), which makes the number among `trials` beta-binomial.
  package func pValue(flagged: Int, of trials: Int) -> Double {
    Distributions.betaBinomialTail(
      successes: flagged, trials: trials, a: Double(samples + 1 - rank), b: Double(rank))
  }

  /// The conformal p-value of a score: the fraction of clean samples, the new one among them, that
  /// score at least as high.
  package static func pValue(_ score: Float, cleanScores: [Float]) -> Double {
    let above = cleanScores.count(where: { $0 >= score })
    return Double(above + 1) / Double(cleanScores.count + 1)
  }
}
