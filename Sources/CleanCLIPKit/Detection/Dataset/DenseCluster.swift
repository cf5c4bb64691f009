/// Images that are far more alike to the model than the rest.
///
/// More poisoned pairs in a reference set than neighbours are each other's neighbours, and a ranking by
/// isolation puts them last. A model that collapses triggered images gives them away from the
/// other side: their distances are much smaller than the rest's, though not zero.
package struct DenseCluster: Equatable, Sendable {
  package let cluster: ImageCluster
  /// Median k-distance of the members over that of the dataset.
  package let relativeDistance: Float

  /// Distance, relative to the dataset's median, below which an image counts as dense.
  static let threshold: Float = 0.2
  /// Repeated images that are clusters of their own.
  private static let mostRepeated = 8

  /// Finds the dense images: a cluster for each one that is repeated, and one of the others.
  ///
  /// - Throws: what reading features throws.
  static func find(
    _ density: DensityScores, _ evidence: ClusterEvidence
  ) throws(CLIPError) -> [DenseCluster] {
    guard let scale = density.scales.last else { return [] }
    let median = Ranking.median(scale.kDistance)
    guard median > 0 else { return [] }
    let dense = scale.kDistance.indices.filter {
      scale.kDistance[$0] < threshold * median && scale.kDistance[$0] > 0
    }
    guard dense.count > scale.k else { return [] }
    return try parts(dense, evidence, fewest: scale.k).map { (members) throws(CLIPError) in
      DenseCluster(
        cluster: try evidence.cluster(members),
        relativeDistance: Ranking.median(members.map { scale.kDistance[$0] }) / median)
    }
  }

  /// The images of each cluster.
  private static func parts(
    _ dense: [Int], _ evidence: ClusterEvidence, fewest: Int
  ) -> [[Int]] {
    guard let known = evidence.looks.known else { return [dense] }
    let repeated = RepeatedImages.groups(dense, of: known, evidence.pairs)
      .filter { $0.count > fewest }.prefix(mostRepeated)
    let taken = Set(repeated.joined())
    let rest = dense.filter { !taken.contains($0) }
    let parts = repeated + (rest.count > fewest ? [rest] : [])
    return parts.isEmpty ? [dense] : Array(parts)
  }
}
