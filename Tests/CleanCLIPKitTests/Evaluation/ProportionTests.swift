import CleanCLIPKit
import Testing

@Suite struct ProportionTests {
  /// Ends of `scipy.stats.binomtest(k, n).proportion_ci(method="wilson")`.
  @Test(arguments: [
    (0, 10, 0.0, 0.27753279986288), (5, 10, 0.23659309051256, 0.76340690948744),
    (1812, 1817, 0.99357573133, 0.99882435), (10, 10, 0.72246720013711, 1.0),
  ])
  func intervalIsWilsons(successes: Int, total: Int, low: Double, high: Double) {
    let interval = Proportion(successes, of: total).interval
    #expect(abs(interval.lowerBound - low) < 1e-5)
    #expect(abs(interval.upperBound - high) < 1e-5)
  }

  @Test func nothingIsUnknown() {
    let nothing = Proportion(0, of: 0)
    #expect(nothing.value == 0)
    #expect(nothing.interval == 0...1)
  }

  @Test func ranksCountBetterClasses() {
    let scores: [Float] = [0.1, 0.5, 0.5, -1, 0.9]
    let ranks = scores.withUnsafeBufferPointer { scores in
      scores.indices.map { TopCounts.rank(of: $0, in: scores) }
    }
    #expect(ranks == [3, 1, 2, 4, 0])
  }
}
