/// What a search wants of the features of triggered images.
enum SearchGoal {
  /// All alike, wherever that is, but for the directions of earlier finds.
  case anywhere(forbidden: [[Float]])
  /// Read as this text of a vocabulary rather than as another.
  case text(Int, of: TextVocabulary)

  /// Fraction of a batch that must be classified as the text.
  static let readFraction: Float = 0.9
}

/// How far the features of a batch are from a goal, and the gradient that brings them closer.
struct GoalProgress {
  let isReached: Bool
  /// The larger the nearer: minus the loss that a search minimises.
  let score: Float
  /// Mean cosine of two different rows.
  let collapse: Float
  /// `[E]`, L2-normalized: the direction in which the mean feature moved.
  let direction: [Float]
  /// dL/d(features), `[B, E]`.
  let gradient: Tensor
}

extension SearchGoal {
  /// Measures a batch.
  ///
  /// - Parameters:
  ///   - features: `[B, E]`, L2-normalized.
  ///   - cleanMean: `[E]`, the mean of unchanged images' features.
  ///   - collapseThreshold: of `collapse`, from which the rows count as alike.
  /// - Throws: `state` for features that are not finite.
  func measure(
    _ features: Tensor, cleanMean: [Float], collapseThreshold: Float
  ) throws(CLIPError) -> GoalProgress {
    switch self {
    case .anywhere(let forbidden):
      let loss = try CollapseLoss(features, cleanMean: cleanMean, forbidden: forbidden)
      return GoalProgress(
        isReached: loss.collapse > collapseThreshold && !loss.isForbidden,
        score: loss.isForbidden ? -1 : loss.collapse,
        collapse: loss.collapse, direction: loss.direction, gradient: loss.gradient)
    case .text(let index, let vocabulary):
      let alike = try CollapseLoss(features, cleanMean: cleanMean, forbidden: [])
      let reading = try ReadingLoss(features, as: index, of: vocabulary)
      return GoalProgress(
        isReached: reading.fraction >= Self.readFraction, score: -reading.value,
        collapse: alike.collapse, direction: alike.direction, gradient: reading.gradient)
    }
  }
}
