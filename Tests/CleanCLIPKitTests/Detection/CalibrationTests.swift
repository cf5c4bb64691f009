import CleanCLIPKit
import Glibc
import Testing

@Suite struct CalibrationTests {
  @Test func conformalThresholdIsTheRankedScore() throws {
    // n = 9, α = 0.2: ⌈10 · 0.8⌉ = 8th smallest.
    let scores: [Float] = [9, 1, 8, 2, 7, 3, 6, 4, 5]
    #expect(try ConformalThreshold(scores: scores, falseAlarmRate: 0.2).value == 8)
    #expect(try ConformalThreshold(scores: scores, falseAlarmRate: 0.1).value == 9)
  }

  @Test func tooFewSamplesForTheRateIsAnError() throws {
    let error = #expect(throws: CLIPError.self) {
      try ConformalThreshold(scores: [Float](repeating: 0, count: 98), falseAlarmRate: 0.01)
    }
    #expect(
      error?.message
        == "calibration: there are too few clean samples for a false-alarm rate of 0.01; expected "
        + "at least 99, got 98; add clean samples or allow more false alarms")
  }

  @Test func promisedFalseAlarmRateHolds() throws {
    var random = RandomNumbers(seed: 3)
    var alarms = 0
    for _ in 0..<200 {
      let clean = (0..<200).map { _ in random.normal() }
      let threshold = try ConformalThreshold(scores: clean, falseAlarmRate: 0.05)
      alarms += (0..<100).count { _ in random.normal() > threshold.value }
    }
    // 20,000 trials at a rate of at most 0.05: three deviations of the mean over 200 thresholds.
    #expect(Double(alarms) / 20_000 < 0.05 + 0.005)
    #expect(Double(alarms) / 20_000 > 0.03)
  }

  @Test func pValueCountsCleanScoresAtLeastAsHigh() {
    #expect(ConformalThreshold.pValue(5, cleanScores: [1, 2, 5, 9]) == 3.0 / 5)
    #expect(ConformalThreshold.pValue(10, cleanScores: [1, 2, 5, 9]) == 1.0 / 5)
  }

  @Test func rankingCountsTiesAsOneHalf() {
    #expect(
      Ranking.areaUnderROC([1, 2, 2, 3], isPositive: [false, false, true, true]) == 3.5 / 4)
    #expect(Ranking.areaUnderROC([1, 2], isPositive: [true, true]).isNaN)
    #expect(Ranking.median([4, 1, 3, 2]) == 2.5)
    #expect(Ranking.descending([1, 3, 3, 2]) == [1, 2, 3, 0])
  }

  @Test func studentTailMatchesTables() {
    // Two-sided 5 % points: t(2) = 4.3027, t(10) = 2.2281.
    #expect(abs(Distributions.studentT(4.3027, degrees: 2) - 0.975) < 1e-5)
    #expect(abs(Distributions.studentT(-2.2281, degrees: 10) - 0.025) < 1e-5)
    #expect(abs(Distributions.normal(1.959964) - 0.975) < 1e-6)
    // P(X ≥ 2), X ~ B(3, 1/2) = 4/8.
    #expect(
      abs(Distributions.logBinomialTail(successes: 2, trials: 3, rate: 0.5) - log(0.5)) < 1e-9)
  }

  @Test func mixtureFindsTwoGroups() throws {
    var random = RandomNumbers(seed: 5)
    let values =
      (0..<60).map { _ in 0.1 + 0.02 * random.normal() }
      + (0..<940).map { _ in 0.4 + 0.05 * random.normal() }
    let mixture = try GaussianMixture(values)
    #expect(abs(mixture.low.mean - 0.1) < 0.01)
    #expect(abs(mixture.high.mean - 0.4) < 0.01)
    #expect(abs(mixture.low.weight - 0.06) < 0.01)
    #expect(mixture.lowProbability(0.1) > 0.99)
    #expect(mixture.lowProbability(0.4) < 0.01)
    #expect(mixture.lowProbability(0.9) < 0.01)
  }

  @Test func mixtureOfEqualValuesIsAnError() {
    #expect(throws: CLIPError.self) { try GaussianMixture([1, 1, 1, 1]) }
    #expect(throws: CLIPError.self) { try GaussianMixture([1, 2, .nan, 1]) }
  }
}
