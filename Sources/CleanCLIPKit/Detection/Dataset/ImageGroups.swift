/// The pairs of each image, where some images have several captions.
///
/// Statistics count an image once: five captions of one image are no five witnesses, and no five
/// neighbours.
struct ImageGroups {
  /// The pairs of each image, ascending; images in the order of their first pairs.
  let pairs: [[Int]]
  /// The image of each pair.
  let imageOfPair: [Int]

  /// - Parameter images: the number of each pair's image, counted from 0 as they first occur.
  /// - Returns: `nil` when each pair has an image of its own.
  init?(_ images: [Int]?) {
    guard let images, let highest = images.max(), highest + 1 < images.count else { return nil }
    var pairs = [[Int]](repeating: [], count: highest + 1)
    for (pair, image) in images.enumerated() { pairs[image].append(pair) }
    self.pairs = pairs
    imageOfPair = images
  }

  /// The first pair of each image.
  var firstPairs: [Int] { pairs.map { $0[0] } }

  /// The features of each image, of those of the pairs.
  func ofImages(_ features: FeatureRows) -> FeatureRows {
    features.ordered(firstPairs.map { Int32($0) })
  }

  /// Gives each pair the value of its image.
  func expanded(_ values: [Float]) -> [Float] { imageOfPair.map { values[$0] } }

  /// Images by their most suspicious pair.
  func ranking(_ scores: [Float]) -> [Int] {
    Ranking.descending(pairs.map { $0.map { scores[$0] }.max() ?? 0 })
  }
}

extension DensityScores {
  /// The scores of images as those of their pairs.
  func expanded(_ groups: ImageGroups) -> DensityScores {
    DensityScores(
      scales: scales.map { scale in
        Scale(
          k: scale.k, references: scale.references, kDistance: groups.expanded(scale.kDistance),
          slof: groups.expanded(scale.slof), dao: groups.expanded(scale.dao))
      }, combined: groups.expanded(combined))
  }
}
