import CleanCLIPKit
import Glibc
import Testing

/// Words that become more frequent towards the head of a ranking, steadily or at once.
@Suite struct HeadTrendTests {
  /// The concentration among 4,000 captions with normal scores, of which some say "night".
  private func concentration(
    seed: UInt64, rate: (_ rank: Int, _ score: Double) -> Double
  ) -> CaptionConcentration {
    var random = RandomNumbers(seed: seed)
    let scores = (0..<4000).map { _ in Double(random.normal()) }.sorted(by: >)
    let captions = scores.enumerated().map { rank, score in
      let thing = "thing \(random.integer(below: 50))"
      return Double(random.uniform()) < rate(rank, score) ? "night \(thing)" : thing
    }
    return CaptionConcentration(captions: captions, order: Array(0..<4000))
  }

  @Test(arguments: 0..<8 as Range<UInt64>)
  func aWordThatBecomesMoreFrequentSteadilyDoesNotRule(seed: UInt64) {
    // 5 % in the middle, 60 % among the first forty.
    let words = concentration(seed: seed) { _, score in 1 / (1 + exp(3 - 1.25 * score)) }.words
    #expect(!words.contains { $0.text == "night" && $0.fractionOfHead >= 0.5 })
  }

  @Test(arguments: 0..<8 as Range<UInt64>)
  func aWordThatBecomesMoreFrequentAtOnceRules(seed: UInt64) throws {
    let night = try #require(
      concentration(seed: seed) { rank, _ in rank < 40 ? 0.8 : 0.1 }.words.first)
    #expect(night.text == "night" && night.logChance < -6 && night.fractionOfHead > 0.6)
    #expect(abs(night.excess - 28) < 12)
  }
}
