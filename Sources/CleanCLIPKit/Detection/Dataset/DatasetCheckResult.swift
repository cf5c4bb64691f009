/// What is known about one pair.
package struct PairScore: Equatable, Sendable {
  package let key: String
  package let caption: String
  /// Higher is more suspicious; robust standard units of the dataset, 0 in its middle.
  package let score: Float
  /// Cosine of image and caption by the trusted model; `nil` without one.
  package let trustedCosine: Float?
  /// Probability that the pair belongs to the less matching of the mixture's components.
  package let mismatchProbability: Float?
  /// Pairs with the same caption, this one included.
  package let captionPairs: Int
  /// Pairs that share this one's most frequent conspicuous patch; `nil` when none were looked for.
  package let patchPairs: Int?
}

/// The verdict on a dataset, with its evidence.
package struct DatasetCheckResult: Sendable {
  package let verdict: Verdict
  package let explanation: String
  /// In the order of the dataset.
  package let pairs: [PairScore]
  /// Of the checkpoint's features; `nil` without them.
  package let density: DensityScores?
  /// Of the trusted model's cosines.
  package let mixture: GaussianMixture?
  /// Indices from the most to the least suspicious.
  package let ranking: [Int]
  /// How many pairs are poisoned, roughly; 0 when nothing points at any.
  package let estimatedPoisoned: Int
  /// Pairs at the head of the ranking that a cleaned list leaves out.
  package let removed: Int
  package let concentration: CaptionConcentration
  /// Where poison close together may hide from the ranking.
  package let denseClusters: [DenseCluster]
  /// The images at the head of the ranking that have its word; `nil` without one.
  package let head: ImageCluster?
  /// Images that the dataset has many times, the most frequent first.
  package let repeatedImages: [ImageCluster]
  package let options: DatasetCheckOptions
  /// The row of the dataset of each pair, and the number of all rows.
  package let rows: [Int]
  package let rowCount: Int
  /// What the verdict does not cover, by reason.
  package let omissions: Omissions

  /// The scores of all rows of the dataset, in its order; NaN for those that could not be read.
  package var scores: [Float] {
    var scores = [Float](repeating: .nan, count: rowCount)
    for (pair, row) in zip(pairs, rows) { scores[row] = pair.score }
    return scores
  }
}
