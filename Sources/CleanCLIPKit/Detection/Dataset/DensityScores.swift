internal import Glibc

/// Isolation of every pair at several scales, averaged over random reference sets.
package struct DensityScores {
  /// One scale.
  package struct Scale: Sendable {
    package let k: Int
    package let references: Int
    /// Geometric means over the reference sets.
    package let kDistance: [Float]
    package let slof: [Float]
    /// Mean over the reference sets.
    package let dao: [Float]
  }

  package let scales: [Scale]
  /// ln SLOF, mean over the scales; higher is more isolated.
  package let combined: [Float]

  /// Measures features against random subsets of themselves.
  ///
  /// - Parameters:
  ///   - features: `[N, E]` as the tower gives them: the length matters, because triggers are
  ///     learned as unusually strong features.
  ///   - progress: called with the share done; `false` cancels.
  /// - Throws: `invalidArgument` when no scale has enough points; `cancelled`.
  package init(
    _ features: Tensor, options: DatasetCheckOptions, progress: (Double) -> Bool
  ) throws(CLIPError) {
    let count = features.shape[0]
    let usable = options.neighbours.filter { $0 < count }
    guard !usable.isEmpty else {
      throw CLIPError(
        .invalidArgument,
        "check data: there are fewer pairs than neighbours; expected at least "
          + "\((options.neighbours.min() ?? 0) + 1) pairs, got \(count)")
    }
    var scales: [Scale] = []
    var sets = 0
    let total = usable.enumerated().map { $0.offset == 0 ? options.draws : 1 }.reduce(0, +)
    for (position, k) in usable.enumerated() {
      let references = options.referenceCount(k: k, among: count)
      // Sets of all points are all the same.
      let draws = references == count || position > 0 ? 1 : options.draws
      var distances = [Float](repeating: 0, count: count)
      var slofs = distances
      var daos = distances
      for draw in 0..<draws {
        var random = RandomNumbers(
          seed: options.seed, 0x7265_6673, UInt64(k), UInt64(draw))
        let density = try Self.density(
          features, k: k, references: references, random: &random)
        let share = 1 / Float(draws)
        for i in 0..<count {
          distances[i] += share * logf(max(1e-30, density.kDistance[i]))
          slofs[i] += share * logf(density.slof[i])
          daos[i] += share * density.dao[i]
        }
        sets += 1
        guard progress(Double(sets) / Double(total)) else {
          throw CLIPError(.cancelled, "check data: cancelled after \(sets) reference sets")
        }
      }
      scales.append(
        Scale(
          k: k, references: references, kDistance: distances.map(expf), slof: slofs.map(expf),
          dao: daos))
    }
    self.scales = scales
    combined = (0..<count).map { i in
      scales.reduce(0) { $0 + logf($1.slof[i]) } / Float(scales.count)
    }
  }

  private static func density(
    _ features: Tensor, k: Int, references: Int, random: inout RandomNumbers
  ) throws(CLIPError) -> LocalDensity {
    let count = features.shape[0]
    let chosen = random.permutation(count).prefix(references).sorted()
    var selves = [Int32](repeating: -1, count: count)
    for (row, index) in chosen.enumerated() { selves[index] = Int32(row) }
    let reference = try FeatureMatrix.gather(features, chosen)
    let queries = try NearestNeighbours.find(
      queries: features, references: reference, k: k, selves: selves)
    return LocalDensity(queries: queries, references: queries.rows(chosen))
  }
}

extension NearestNeighbours {
  /// The neighbours of some of the queries.
  func rows(_ rows: [Int]) -> NearestNeighbours {
    var indices: [Int32] = []
    var distances: [Float] = []
    indices.reserveCapacity(rows.count * k)
    distances.reserveCapacity(rows.count * k)
    for row in rows {
      indices += self.indices[row * k..<row * k + k]
      distances += self.distances[row * k..<row * k + k]
    }
    return NearestNeighbours(k: k, indices: indices, distances: distances)
  }
}
