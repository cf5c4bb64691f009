extension CleanCLIPLoss {
  /// Evaluates the loss of a batch that ranks have a part of each.
  ///
  /// The features of all ranks are gathered, every rank evaluates the loss of the whole batch, in which
  /// each pair meets the negatives of all ranks, and takes the gradient with respect to its own
  /// features. That is the whole gradient of what it computed: the loss depends on these features
  /// through every row and column of the similarities, those of the other ranks' pairs included.
  ///
  /// - Parameters:
  ///   - imageFeatures: `[V b, E]` of this rank's pairs, L2-normalized, originals first.
  ///   - textFeatures: `[V b, E]`, in the same way.
  ///   - logitScale: ln s, the same on every rank.
  /// - Returns: losses and the gradient of ln s of the whole batch, which every rank has, and gradients
  ///   `[V b, E]` of this rank's features.
  package func evaluate(
    imageFeatures: Tensor, textFeatures: Tensor, logitScale: Float, _ communicator: Communicator
  ) throws(CLIPError) -> Result {
    var result = try evaluate(
      imageFeatures: try communicator.gatherViews(imageFeatures, views),
      textFeatures: try communicator.gatherViews(textFeatures, views), logitScale: logitScale)
    result.imageGradient = try communicator.ownViews(of: result.imageGradient, views)
    result.textGradient = try communicator.ownViews(of: result.textGradient, views)
    return result
  }
}
