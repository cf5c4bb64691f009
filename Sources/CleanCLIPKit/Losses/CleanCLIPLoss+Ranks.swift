internal import Glibc

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
    guard !communicator.isSingle else {
      return try evaluate(
        imageFeatures: imageFeatures, textFeatures: textFeatures, logitScale: logitScale)
    }
    var result = try evaluate(
      imageFeatures: try gathered(imageFeatures, communicator),
      textFeatures: try gathered(textFeatures, communicator), logitScale: logitScale)
    result.imageGradient = try part(of: result.imageGradient, communicator)
    result.textGradient = try part(of: result.textGradient, communicator)
    return result
  }

  /// Returns the rows of all ranks, `[V B, E]`: the originals of rank 0, of rank 1, and so on, then the
  /// augmentations.
  private func gathered(
    _ features: Tensor, _ communicator: Communicator
  ) throws(CLIPError) -> Tensor {
    let pairs = features.shape[0] / views
    let parts = try communicator.gather(features, for: .features)
    let all = try Tensor([communicator.size * features.shape[0], features.shape[1]], .f32)
    for rank in 0..<communicator.size {
      let part = parts.slice(rank..<rank + 1).reshaped(features.shape)
      for view in 0..<views {
        let source = part.slice(view * pairs..<(view + 1) * pairs)
        let start = (view * communicator.size + rank) * pairs
        memcpy(all.slice(start..<start + pairs).bytes, source.bytes, source.byteCount)
      }
    }
    return all
  }

  /// Returns this rank's rows of what `gathered` arranged.
  private func part(of all: Tensor, _ communicator: Communicator) throws(CLIPError) -> Tensor {
    let pairs = all.shape[0] / (views * communicator.size)
    let part = try Tensor([views * pairs, all.shape[1]], .f32)
    for view in 0..<views {
      let start = (view * communicator.size + communicator.rank) * pairs
      let source = all.slice(start..<start + pairs)
      memcpy(
        part.slice(view * pairs..<(view + 1) * pairs).bytes, source.bytes, source.byteCount)
    }
    return part
  }
}
