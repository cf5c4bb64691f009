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

  init(scales: [Scale], combined: [Float]) {
    self.scales = scales
    self.combined = combined
  }

  /// Points whose neighbours are in memory at once.
  private static let chunk = 8192

  /// Measures features against random subsets of themselves.
  ///
  /// - Parameters:
  ///   - features: `[N, E]`, unnormalized: the length matters, because triggers are
  ///     learned as unusually strong features.
  ///   - progress: called with the fraction done, in 0…1; `false` cancels.
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
    let plan = usable.enumerated().map { position, k -> (k: Int, references: Int, draws: Int) in
      let references = options.referenceCount(k: k, among: count)
      // Sets of all points are all the same.
      return (k, references, references == count || position > 0 ? 1 : options.draws)
    }
    let total = plan.map { $0.draws * $0.references * count }.reduce(0, +)
    var done = 0
    var scales: [Scale] = []
    for (k, references, draws) in plan {
      var distances = [Float](repeating: 0, count: count)
      var slofs = distances
      var daos = distances
      let weight = 1 / Float(draws)
      for draw in 0..<draws {
        var random = RandomNumbers(
          seed: options.seed, 0x7265_6673, UInt64(k), UInt64(draw))
        let set = try ReferenceSet(features, k: k, count: references, random: &random)
        for start in stride(from: 0, to: count, by: Self.chunk) {
          let rows = start..<min(count, start + Self.chunk)
          let density = try set.density(of: rows, in: features)
          for (row, i) in rows.enumerated() {
            distances[i] += weight * logf(max(1e-30, density.kDistance[row]))
            slofs[i] += weight * logf(density.slof[row])
            daos[i] += weight * density.dao[row]
          }
          done += rows.count * references
          guard progress(Double(done) / Double(total)) else {
            throw CLIPError(
              .cancelled,
              "check data: cancelled after \(100 * done / total) % of the neighbours")
          }
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
}

/// A random subset of points, against which the others and itself are measured.
private struct ReferenceSet {
  private let index: NeighbourIndex
  private let densities: ReferenceDensity
  /// For each point its row among the references, -1 for others.
  private var selves: [Int32]
  private let k: Int

  init(
    _ all: Tensor, k: Int, count: Int, random: inout RandomNumbers
  ) throws(CLIPError) {
    self.k = k
    let chosen = random.permutation(all.shape[0]).prefix(count).sorted()
    selves = [Int32](repeating: -1, count: all.shape[0])
    for (row, index) in chosen.enumerated() { selves[index] = Int32(row) }
    index = try NeighbourIndex(try FeatureMatrix.gather(all, chosen))
    densities = ReferenceDensity(
      try index.nearest(k, to: index.references, selves: (0..<Int32(count)).map { $0 }))
  }

  /// Measures some of the points.
  func density(of rows: Range<Int>, in all: Tensor) throws(CLIPError) -> LocalDensity {
    LocalDensity(
      queries: try index.nearest(k, to: all.slice(rows), selves: Array(selves[rows])),
      references: densities)
  }
}
