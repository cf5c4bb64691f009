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

  /// Measures features against random subsets of themselves.
  ///
  /// Every block of features is read once and measured against all subsets.
  ///
  /// - Parameters:
  ///   - features: `[N, E]`, unnormalized: the length matters, because triggers are
  ///     learned as unusually strong features.
  ///   - plan: the subsets.
  ///   - state: where finished blocks are kept; `nil` keeps none.
  ///   - progress: called with the fraction done, in 0…1; `false` cancels.
  /// - Throws: `state`, `format`; what reading throws; `cancelled`.
  init(
    _ features: FeatureRows, _ plan: ReferencePlan, state: NeighbourState?,
    progress: (Double) -> Bool
  ) throws(CLIPError) {
    let count = features.count
    let sets = try plan.scales.map { (scale) throws(CLIPError) in
      try (0..<scale.draws).map { (draw) throws(CLIPError) in
        var random = RandomNumbers(
          seed: plan.seed, 0x7265_6673, UInt64(scale.k), UInt64(draw))
        return try ReferenceSet(
          features, k: scale.k, count: scale.references, random: &random)
      }
    }
    var measured = plan.scales.map { _ in DensityLogs() }
    for start in stride(from: 0, to: count, by: FeatureRows.block) {
      let rows = start..<min(count, start + FeatureRows.block)
      let block: [DensityLogs]
      if let kept = try state?.piece(rows) {
        block = kept
      } else {
        let queries = try features.read(rows)
        block = try sets.map { (draws) throws(CLIPError) in
          try DensityLogs(of: rows, queries, in: draws)
        }
        try state?.record(block, rows)
      }
      for scale in measured.indices { measured[scale].append(block[scale]) }
      guard progress(Double(rows.upperBound) / Double(count)) else {
        throw CLIPError(
          .cancelled,
          "check data: cancelled after the neighbours of \(rows.upperBound) of \(count) pairs")
      }
    }
    scales = zip(plan.scales, measured).map { scale, logs in
      Scale(
        k: scale.k, references: scale.references, kDistance: logs.distances.map(expf),
        slof: logs.slofs.map(expf), dao: logs.daos)
    }
    let slofs = scales.map(\.slof)
    combined = (0..<count).map { i in
      slofs.reduce(0) { $0 + logf($1[i]) } / Float(slofs.count)
    }
  }
}

/// The reference sets of a check.
struct ReferencePlan {
  struct Scale {
    let k: Int
    let references: Int
    let draws: Int
  }

  let scales: [Scale]
  let seed: UInt64
  /// Points that are measured.
  let count: Int

  /// - Throws: `invalidArgument` when no scale has enough points.
  init(_ options: DatasetCheckOptions, count: Int) throws(CLIPError) {
    let usable = options.neighbours.filter { $0 < count }
    guard !usable.isEmpty else {
      throw CLIPError(
        .invalidArgument,
        "check data: there are fewer pairs than neighbours; expected at least "
          + "\((options.neighbours.min() ?? 0) + 1) pairs, got \(count)")
    }
    scales = usable.enumerated().map { position, k in
      let references = options.referenceCount(k: k, among: count)
      // Sets of all points are all the same.
      let draws = references == count || position > 0 ? 1 : options.draws
      return Scale(k: k, references: references, draws: draws)
    }
    seed = options.seed
    self.count = count
  }

  /// Points of all sets together.
  var references: Int { scales.reduce(0) { $0 + $1.draws * $1.references } }
}

/// Statistics of points at one scale, averaged over its reference sets; logarithms of the first two.
struct DensityLogs {
  var distances: [Float] = []
  var slofs: [Float] = []
  var daos: [Float] = []

  init() {}

  /// Measures some of the points.
  fileprivate init(
    of rows: Range<Int>, _ queries: Tensor, in sets: [ReferenceSet]
  ) throws(CLIPError) {
    distances = [Float](repeating: 0, count: rows.count)
    slofs = distances
    daos = distances
    let weight = 1 / Float(sets.count)
    for set in sets {
      let density = try set.density(of: rows, queries)
      for row in 0..<rows.count {
        distances[row] += weight * logf(max(1e-30, density.kDistance[row]))
        slofs[row] += weight * logf(density.slof[row])
        daos[row] += weight * density.dao[row]
      }
    }
  }

  mutating func append(_ other: DensityLogs) {
    distances += other.distances
    slofs += other.slofs
    daos += other.daos
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
    _ all: FeatureRows, k: Int, count: Int, random: inout RandomNumbers
  ) throws(CLIPError) {
    self.k = k
    let chosen = random.permutation(all.count).prefix(count).sorted()
    selves = [Int32](repeating: -1, count: all.count)
    for (row, index) in chosen.enumerated() { selves[index] = Int32(row) }
    index = try NeighbourIndex(try all.gather(chosen))
    densities = ReferenceDensity(
      try index.nearest(k, to: index.references, selves: (0..<Int32(count)).map { $0 }))
  }

  /// Measures some of the points.
  ///
  /// - Parameter queries: their features.
  func density(of rows: Range<Int>, _ queries: Tensor) throws(CLIPError) -> LocalDensity {
    LocalDensity(
      queries: try index.nearest(k, to: queries, selves: Array(selves[rows])),
      references: densities)
  }
}
