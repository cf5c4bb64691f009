internal import Glibc

/// How isolated each query is among the references, by several statistics of its k nearest ones.
///
/// Huang et al. 2025 (arXiv:2502.01385), with neighbours read from their own rows and the same k
/// for queries and references (neither counts itself):
///
/// ```
/// k-distance(i) = d_k(i)
/// SLOF(i) = 1/k Σ_{j ∈ N_k(i)} d_k(i) / d_k(j)
/// LID(i)  = -k / Σ_{l ≤ k} ln(d_l(i) / d_k(i) + 1e-4)
/// DAO(i)  = 1/k Σ_{j ∈ N_k(i)} LID(j) · ln(d_k(i) / d_k(j))
/// ```
///
/// Values where the formulas have none:
/// - ratios of two zero distances (duplicates) are 1; all ratios are kept within 1/1000 … 1000;
/// - LID of a point whose k neighbours are duplicates of it is 0;
/// - LID is at most 1000, its value too when all k distances are equal;
/// - constant features therefore have k-distance 0, SLOF 1, LID 0 and DAO 0.
package struct LocalDensity {
  package private(set) var kDistance: [Float]
  package private(set) var slof: [Float]
  package private(set) var lid: [Float]
  package private(set) var dao: [Float]

  static let largestRatio: Float = 1000
  static let largestLID: Float = 1000

  /// Measures queries against references.
  ///
  /// - Parameters:
  ///   - queries: neighbours of the queries among the references.
  ///   - references: neighbours of the references among themselves, with the same k.
  package init(queries: NearestNeighbours, references: NearestNeighbours) {
    self.init(queries: queries, references: ReferenceDensity(references))
  }

  /// Measures queries against references that serve several times.
  package init(queries: NearestNeighbours, references: ReferenceDensity) {
    precondition(queries.k == references.k, "queries and references use the same k")
    let k = queries.k
    let count = queries.count
    kDistance = (0..<count).map(queries.kDistance)
    lid = (0..<count).map { Self.lid(queries, row: $0) }
    slof = []
    dao = []
    slof.reserveCapacity(count)
    dao.reserveCapacity(count)
    for row in 0..<count {
      var ratios: Float = 0
      var oddities: Float = 0
      for neighbour in 0..<k {
        let other = Int(queries.indices[row * k + neighbour])
        let ratio = Self.ratio(kDistance[row], references.kDistance[other])
        ratios += ratio
        oddities += references.lid[other] * logf(ratio)
      }
      slof.append(ratios / Float(k))
      dao.append(oddities / Float(k))
    }
  }

  static func ratio(_ a: Float, _ b: Float) -> Float {
    guard a > 0 || b > 0 else { return 1 }
    guard b > 0 else { return largestRatio }
    return min(largestRatio, max(1 / largestRatio, a / b))
  }

  static func lid(_ neighbours: NearestNeighbours, row: Int) -> Float {
    let k = neighbours.k
    let radius = neighbours.kDistance(row)
    guard radius > 0 else { return 0 }
    var sum: Float = 0
    for neighbour in 0..<k {
      sum += logf(neighbours.distances[row * k + neighbour] / radius + 1e-4)
    }
    guard sum < 0 else { return largestLID }
    return min(largestLID, -Float(k) / sum)
  }
}

/// What is needed of references to measure the density of others.
package struct ReferenceDensity {
  let k: Int
  let kDistance: [Float]
  let lid: [Float]

  /// - Parameter neighbours: of the references among themselves.
  package init(_ neighbours: NearestNeighbours) {
    k = neighbours.k
    kDistance = (0..<neighbours.count).map(neighbours.kDistance)
    lid = (0..<neighbours.count).map { LocalDensity.lid(neighbours, row: $0) }
  }
}
