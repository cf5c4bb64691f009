/// What a dataset holds that cannot be a row: how much, and the first of it in words.
package struct SkippedEntries: Equatable, Sendable {
  package private(set) var count = 0
  /// The first ten reasons, each with a name.
  package private(set) var examples: [String] = []

  package init() {}

  mutating func add(_ reason: String) {
    count += 1
    if examples.count < 10 { examples.append(reason) }
  }

  mutating func add(_ other: SkippedEntries) {
    count += other.count
    examples += other.examples.prefix(10 - examples.count)
  }
}
