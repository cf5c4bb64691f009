internal import Glibc

/// Gradients of a loss of the L2-normalized features of both towers, of a whole batch or in chunks.
struct FeatureGradients {
  let model: CLIPModel
  /// Whether batch norm takes its statistics from the batch.
  let isTraining: Bool
  /// The loss of features `[V B, E]` of images and texts.
  let loss: (_ images: Tensor, _ texts: Tensor) throws(CLIPError) -> CleanCLIPLoss.Result

  /// Adds the gradients into those of the towers' parameters; not that of the temperature.
  func accumulate(
    _ batch: TrainingBatch, _ pass: Pass
  ) throws(CLIPError) -> CleanCLIPLoss.Result {
    let chunks = batch.chunks(of: pass.chunkSize)
    guard chunks.count == 1 else { return try accumulateInChunks(batch, chunks, pass) }
    let tape = pass.tape(
      isTraining: isTraining, keepsPackedWeights: pass.chunkSize != nil, isLast: true)
    let features = try model.normalizedFeatures(tape, batch)
    let result = try loss(features.images.value, features.texts.value)
    try tape.backward([
      (features.images, result.imageGradient), (features.texts, result.textGradient),
    ])
    return result
  }

  /// Gradient caching (Gao et al. 2021, arXiv:2101.06983): features of all chunks without a tape,
  /// the loss and its feature gradients once, then each chunk again with its part of them.
  private func accumulateInChunks(
    _ batch: TrainingBatch, _ chunks: [Range<Int>], _ pass: Pass
  ) throws(CLIPError) -> CleanCLIPLoss.Result {
    // Both passes see the same statistics of their chunk; the running ones move in the second only,
    // which records.
    let (images, texts) = try model.normalizedFeatures(
      batch, chunks, pass, isTraining: isTraining)
    let result = try loss(images, texts)
    guard result.loss.isFinite else { return result }
    for range in chunks {
      let tape = pass.tape(isTraining: isTraining, isLast: range == chunks.last)
      let features = try model.normalizedFeatures(tape, try batch.pairs(range))
      try tape.backward([
        (features.images, try gather(result.imageGradient, range, batch)),
        (features.texts, try gather(result.textGradient, range, batch)),
      ])
    }
    return result
  }

  private func gather(
    _ whole: Tensor, _ range: Range<Int>, _ batch: TrainingBatch
  ) throws(CLIPError) -> Tensor {
    let part = try Tensor([batch.views * range.count, whole.shape[1]], .f32)
    for view in 0..<batch.views {
      let start = view * batch.count + range.lowerBound
      let source = whole.slice(start..<start + range.count)
      memcpy(
        part.slice(view * range.count..<(view + 1) * range.count).bytes, source.bytes,
        source.byteCount)
    }
    return part
  }
}

extension CLIPModel {
  /// Checks that a recipe of both towers can train the model.
  ///
  /// - Throws: `unsupported` when a tower is missing; `format` when weights are not finite.
  func requireBothTowers(for recipe: String) throws(CLIPError) {
    guard configuration.vision != nil, configuration.text != nil else {
      throw CLIPError(
        .unsupported,
        "\(recipe): the model has one tower only; expected image and text weights; "
          + "load both files of a checkpoint that is split")
    }
    let broken = nonFiniteTensors()
    guard broken.isEmpty else { throw CLIPError.nonFinite(broken) }
  }

  /// Checks that a recipe of the image tower can train the model.
  ///
  /// - Throws: `unsupported` without an image tower; `format` when weights are not finite.
  func requireImageTower(for recipe: String) throws(CLIPError) {
    guard configuration.vision != nil else {
      throw CLIPError(
        .unsupported,
        "\(recipe): the model has no image tower; expected visual weights, got text only")
    }
    let broken = nonFiniteTensors()
    guard broken.isEmpty else { throw CLIPError.nonFinite(broken) }
  }

  /// Computes L2-normalized features of a batch in chunks, without gradients.
  ///
  /// - Returns: `[V B, E]` of images and of texts.
  func normalizedFeatures(
    _ batch: TrainingBatch, _ chunks: [Range<Int>], _ pass: Pass, isTraining: Bool
  ) throws(CLIPError) -> (images: Tensor, texts: Tensor) {
    let shape = Shape([batch.views * batch.count, configuration.embedDim])
    let images = try Tensor(shape, .f32)
    let texts = try Tensor(shape, .f32)
    for range in chunks {
      let tape = pass.tape(isTraining: isTraining, isRecording: false)
      let features = try normalizedFeatures(tape, try batch.pairs(range))
      Self.scatter(features.images.value, into: images, range, batch)
      Self.scatter(features.texts.value, into: texts, range, batch)
    }
    return (images, texts)
  }

  /// Computes L2-normalized features of a batch on a tape.
  func normalizedFeatures(
    _ tape: Tape, _ batch: TrainingBatch
  ) throws(CLIPError) -> (images: Variable, texts: Variable) {
    // Images last: unwinding starts with the tower that frees the most, and what it leaves serves the
    // gradients of both.
    let texts = try textFeatures(tape, batch.tokens)
    let images = try imageFeatures(tape, Variable(batch.pixels))
    return (try tape.normalize(images), try tape.normalize(texts))
  }

  private static func scatter(
    _ part: Tensor, into whole: Tensor, _ range: Range<Int>, _ batch: TrainingBatch
  ) {
    for view in 0..<batch.views {
      let source = part.slice(view * range.count..<(view + 1) * range.count)
      let start = view * batch.count + range.lowerBound
      memcpy(whole.slice(start..<start + range.count).bytes, source.bytes, source.byteCount)
    }
  }
}
