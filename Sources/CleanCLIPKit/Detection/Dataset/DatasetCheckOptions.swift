/// Settings of a dataset check.
package struct DatasetCheckOptions: Equatable, Sendable {
  /// Neighbours of the two scales, ascending.
  package var neighbours = [16, 64]
  /// Fraction of poison that the reference sets are sized for: with R references, R times this fraction
  /// stays at half of k, because k poisoned pairs close together would look like a dense cluster.
  package var assumedPoisonRate = 0.01
  /// Random reference sets whose scores are averaged at the smaller scale.
  package var draws = 4
  /// References at most.
  package var largestReference = 8192
  package var seed: UInt64 = 0
  /// Of all rows. Three poisoned pairs are the fewest that can make a verdict, so that two change none.
  package var unread = UnreadLimit(2)
  /// Bytes that the check may use; `nil` for no limit.
  package var memoryBudget: Int?

  package init() {}

  /// The number of references for k neighbours among `count` pairs.
  func referenceCount(k: Int, among count: Int) -> Int {
    let bound = Double(k) / (2 * max(1e-6, assumedPoisonRate))
    return min(count, largestReference, max(k + 1, Int(min(bound, 1e9))))
  }

  static let rules: [OptionRule<DatasetCheckOptions>] =
    [
      OptionRule(
        "assumed_poison_rate", \.assumedPoisonRate,
        OptionValues("more than 0, less than 0.5") { $0 > 0 && $0 < 0.5 }),
      OptionRule("memory_budget", \.memoryBudget, .range(1...1_000_000_000_000_000)),
    ] + UnreadLimit.rules.map { OptionRule($0, of: \.unread) }

  /// - Throws: `invalidArgument` for settings out of range.
  package func validate() throws(CLIPError) {
    guard !neighbours.isEmpty, neighbours.allSatisfy({ $0 >= 1 && $0 <= 4096 }) else {
      throw CLIPError(
        .invalidArgument,
        "check data: neighbours are out of range; expected 1 to 4096, got \(neighbours)"
      )
    }
    try Self.rules.check(self)
    guard draws >= 1, draws <= 1000, largestReference > (neighbours.max() ?? 0) else {
      throw CLIPError(
        .invalidArgument,
        "check data: settings do not fit; expected 1 to 1000 draws and more references than "
          + "neighbours, got \(draws) draws and \(largestReference) references")
    }
  }
}
