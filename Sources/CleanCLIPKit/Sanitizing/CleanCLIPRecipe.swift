internal import Glibc

extension SanitizeMethod {
  /// `CleanCLIPRecipe`, the paper's first defence.
  static let cleanclip = SanitizeMethod(
    name: "cleanclip", title: "CleanCLIP",
    summary: """
      the contrastive loss between images and captions plus a self-supervised loss inside each \
      modality (Bansal et al. 2023); with inmodal_weight 0, plain fine-tuning
      """,
    needs: SanitizeNeeds(captions: .required),
    options: SanitizeOptions.trainingRules + [.clipWeight, .inmodalWeight]
  ) { (input, options) throws(CLIPError) in
    let loss = CleanCLIPLoss(
      clipWeight: options.cleanclip.clipWeight, inmodalWeight: options.cleanclip.inmodalWeight)
    return try RecipeRun(try CleanCLIPRecipe(input.model, loss: loss), input, options)
  }
}

/// Options of `CleanCLIPRecipe`.
package struct CleanCLIPOptions: Equatable, Sendable {
  /// λ1, of the contrastive loss between images and captions.
  package var clipWeight: Float = 1
  /// λ2, of the self-supervised loss inside each modality.
  package var inmodalWeight: Float = 1
}

extension OptionRule<SanitizeOptions> {
  static let clipWeight = OptionRule("clip_weight", \.cleanclip.clipWeight, .from(0))
  static let inmodalWeight = OptionRule("inmodal_weight", \.cleanclip.inmodalWeight, .from(0))
}

/// CleanCLIP: both towers on the contrastive and the self-supervised loss, all parameters trained.
///
/// With `inmodalWeight` 0 it is plain fine-tuning, or training from scratch, on the CLIP loss; with
/// `clipWeight` 0, self-supervision only. Originals and augmentations pass through each tower as one
/// batch of 2 B, so that batch norm has joint statistics, as in the paper's code.
package final class CleanCLIPRecipe: Recipe {
  package let name = "cleanclip"
  package let model: CLIPModel
  package let loss: CleanCLIPLoss
  package let parameters: [Parameter]

  /// - Throws: `invalidArgument` when both weights are 0; `unsupported` when a tower is missing;
  ///   `format` when weights of the model are not finite.
  package init(_ model: CLIPModel, loss: CleanCLIPLoss) throws(CLIPError) {
    guard loss.clipWeight > 0 || loss.inmodalWeight > 0 else {
      throw CLIPError(
        .invalidArgument,
        "options: clip_weight is out of range; expected more than 0 when inmodal_weight is 0, "
          + "got \(loss.clipWeight)")
    }
    guard model.configuration.vision != nil, model.configuration.text != nil else {
      throw CLIPError(
        .unsupported,
        "cleanclip: the model has one tower only; expected image and text weights; "
          + "load both files of a checkpoint that is split")
    }
    let broken = model.nonFiniteTensors()
    guard broken.isEmpty else { throw CLIPError.nonFinite(broken) }
    self.model = model
    self.loss = loss
    parameters = model.parameters.filter(\.isTrainable)
  }

  package var needs: BatchNeeds { BatchNeeds(views: loss.views, captions: true, labels: false) }
  package var smallestBatch: Int { 2 }
  package var state: [(name: String, tensor: Tensor)] { model.stateDict() }

  package func accumulateGradients(
    _ batch: TrainingBatch, precision: DType, chunkSize: Int?
  ) throws(CLIPError) -> StepLosses {
    let chunks = batch.chunks(of: chunkSize)
    let result: CleanCLIPLoss.Result
    if chunks.count == 1 {
      let tape = Tape(
        precision: precision, isTraining: true, keepsPackedWeights: chunkSize != nil)
      let features = try forward(tape, batch)
      result = try evaluate(features.images.value, features.texts.value)
      try tape.backward([
        (features.images, result.imageGradient), (features.texts, result.textGradient),
      ])
    } else {
      result = try accumulateInChunks(batch, chunks, precision: precision)
    }
    if model.logitScale.isTrainable {
      try model.logitScale.accumulatedGradient().f32[0] += Float(result.logitScaleGradient)
    }
    return StepLosses(
      loss: result.loss, crossmodalLoss: result.crossmodalLoss, inmodalLoss: result.inmodalLoss)
  }

  /// The temperature stays within 1 … 100 (Radford et al. 2021, section 2.5).
  package func didUpdate() {
    let scale = model.logitScale.value.f32
    scale[0] = min(max(scale[0], 0), logf(100))
    model.logitScale.valueDidChange()
  }

  /// Gradient caching (Gao et al. 2021, arXiv:2101.06983): features of all chunks without a tape,
  /// the loss and its feature gradients once, then each chunk again with its part of them.
  private func accumulateInChunks(
    _ batch: TrainingBatch, _ chunks: [Range<Int>], precision: DType
  ) throws(CLIPError) -> CleanCLIPLoss.Result {
    let shape = Shape([batch.views * batch.count, model.configuration.embedDim])
    let images = try Tensor(shape, .f32)
    let texts = try Tensor(shape, .f32)
    // Both passes see the same statistics of their chunk; the running ones move in the second only,
    // which records.
    for range in chunks {
      let tape = Tape(precision: precision, isTraining: true, isRecording: false)
      let features = try forward(tape, try batch.pairs(range))
      scatter(features.images.value, into: images, range, batch)
      scatter(features.texts.value, into: texts, range, batch)
    }
    let result = try evaluate(images, texts)
    guard result.loss.isFinite else { return result }
    for range in chunks {
      let tape = Tape(precision: precision, isTraining: true)
      let features = try forward(tape, try batch.pairs(range))
      try tape.backward([
        (features.images, try gather(result.imageGradient, range, batch)),
        (features.texts, try gather(result.textGradient, range, batch)),
      ])
    }
    return result
  }

  private func forward(
    _ tape: Tape, _ batch: TrainingBatch
  ) throws(CLIPError) -> (images: Variable, texts: Variable) {
    // Images last: unwinding starts with the tower that frees the most, and what it leaves serves the
    // gradients of both.
    let texts = try model.textFeatures(tape, batch.tokens)
    let images = try model.imageFeatures(tape, Variable(batch.pixels))
    return (try tape.normalize(images), try tape.normalize(texts))
  }

  private func evaluate(
    _ images: Tensor, _ texts: Tensor
  ) throws(CLIPError) -> CleanCLIPLoss.Result {
    try loss.evaluate(
      imageFeatures: images, textFeatures: texts, logitScale: model.logitScale.value.f32[0])
  }

  private func scatter(
    _ part: Tensor, into whole: Tensor, _ range: Range<Int>, _ batch: TrainingBatch
  ) {
    for view in 0..<batch.views {
      let source = part.slice(view * range.count..<(view + 1) * range.count)
      let start = view * batch.count + range.lowerBound
      memcpy(whole.slice(start..<start + range.count).bytes, source.bytes, source.byteCount)
    }
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
