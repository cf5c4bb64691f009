/// Pairs whose images are far more alike to the model than those of the rest.
///
/// More poisoned pairs in a reference set than neighbours are each other's neighbours, and a ranking by
/// isolation puts them last. A model that collapses triggered images gives them away from the
/// other side: their distances are much smaller than the rest's, though not zero.
package struct DenseCluster: Equatable, Sendable {
  /// Indices of the pairs.
  package let members: [Int]
  /// Median k-distance of the members over that of the dataset.
  package let relativeDistance: Float
  /// The word that most members share, and the fraction of members that have it; empty without
  /// captions.
  package let word: String
  package let wordFraction: Double

  /// Distance, relative to the dataset's median, below which a pair counts as dense.
  static let threshold: Float = 0.2

  /// Finds the dense pairs, as one cluster for each word that most of them share.
  static func find(_ density: DensityScores, captions: [String]?) -> [DenseCluster] {
    guard let scale = density.scales.last else { return [] }
    let median = Ranking.median(scale.kDistance)
    guard median > 0 else { return [] }
    let dense = scale.kDistance.indices.filter {
      scale.kDistance[$0] < threshold * median && scale.kDistance[$0] > 0
    }
    guard dense.count > scale.k else { return [] }
    let distance = Ranking.median(dense.map { scale.kDistance[$0] }) / median
    guard let captions else {
      return [DenseCluster(members: dense, relativeDistance: distance, word: "", wordFraction: 0)]
    }
    var counts: [String: Int] = [:]
    var everywhere: [String: Int] = [:]
    for index in dense {
      for word in Set(CaptionConcentration.words(of: captions[index].lowercased())) {
        counts[word, default: 0] += 1
      }
    }
    for caption in captions {
      for word in Set(CaptionConcentration.words(of: caption.lowercased()))
      where counts[word] != nil {
        everywhere[word, default: 0] += 1
      }
    }
    // The word that the cluster has most in excess of the dataset.
    let best = counts.max { a, b in
      excess(a, dense.count, everywhere, captions.count)
        < excess(b, dense.count, everywhere, captions.count)
    }
    let fraction = Double(best?.value ?? 0) / Double(dense.count)
    return [
      DenseCluster(
        members: dense, relativeDistance: distance, word: best?.key ?? "", wordFraction: fraction)
    ]
  }

  private static func excess(
    _ entry: (key: String, value: Int), _ members: Int, _ everywhere: [String: Int], _ total: Int
  ) -> Double {
    Double(entry.value) / Double(members) - Double(everywhere[entry.key] ?? 0) / Double(total)
  }
}
