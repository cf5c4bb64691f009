/// The k nearest references of each query, nearest first.
package struct NearestNeighbours {
  package let k: Int
  /// `[queries, k]` row numbers of the references.
  package let indices: [Int32]
  /// `[queries, k]` Euclidean distances, ascending; equal distances are in order of the index.
  package let distances: [Float]

  /// The number of queries.
  package var count: Int { indices.count / k }

  /// The distance of query `row` to its k-th neighbour.
  package func kDistance(_ row: Int) -> Float { distances[row * k + k - 1] }

  /// Finds neighbours once; see `NeighbourIndex` for references that serve several times.
  ///
  /// - Throws: see `NeighbourIndex.nearest`.
  package static func find(
    queries: Tensor, references: Tensor, k: Int, selves: [Int32]? = nil
  ) throws(CLIPError) -> NearestNeighbours {
    try NeighbourIndex(references).nearest(k, to: queries, selves: selves)
  }

  /// The nearest `k` of the neighbours.
  package func nearest(_ k: Int) -> NearestNeighbours {
    precondition(k > 0 && k <= self.k, "no more neighbours than were found")
    guard k < self.k else { return self }
    let kept = (0..<count).flatMap { row in row * self.k..<row * self.k + k }
    return NearestNeighbours(
      k: k, indices: kept.map { indices[$0] }, distances: kept.map { distances[$0] })
  }
}
