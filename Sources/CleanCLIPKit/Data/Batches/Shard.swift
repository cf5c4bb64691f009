/// The part of every batch that one of several ranks has: rank r of N the r-th of N runs of its rows.
package struct Shard: Equatable, Sendable {
  package let rank: Int
  /// N, of which the size of a batch is a multiple.
  package let count: Int

  package static let whole = Shard(rank: 0, count: 1)

  package init(rank: Int, count: Int) {
    precondition(count > 0 && (0..<count).contains(rank), "a rank is one of the ranks")
    self.rank = rank
    self.count = count
  }

  /// The places of this rank's rows in a batch.
  package func part(of batchSize: Int) -> Range<Int> {
    let size = batchSize / count
    return rank * size..<(rank + 1) * size
  }

  /// Whether a row of the dataset may take the place of a bad one here; of each row, one rank may.
  func contains(replacement row: Int) -> Bool { row % count == rank }
}
