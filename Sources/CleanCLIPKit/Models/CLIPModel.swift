/// A CLIP model: an image tower, a text tower, or both, and the temperature they share.
///
/// Weights are single precision and keep OpenCLIP's checkpoint names. Encoding does not change the
/// model, so several threads may encode with it at once; training and loading may not overlap with
/// anything else.
package final class CLIPModel {
  package let configuration: CLIPConfiguration
  /// In state-dict order.
  package let parameters: [Parameter]
  /// ln s, where the logits are s times the cosine similarities.
  package let logitScale: Parameter
  /// The norms of a ResNet that keeps them as layers, in state-dict order.
  package let batchNorms: [(name: String, norm: BatchNorm)]
  let visual: ImageTower?
  let text: TextTransformer?

  enum ImageTower {
    case transformer(VisionTransformer)
    case resNet(ModifiedResNet)
  }

  /// Makes a model with the tensors of a checkpoint, which are copied.
  ///
  /// - Parameters:
  ///   - tensors: by OpenCLIP state-dict name; `num_batches_tracked` is ignored.
  ///   - allowsNonFinite: accept NaN and infinite weights, for looking at a broken checkpoint.
  /// - Throws: `unsupported` when the configuration cannot be; `format` when tensors are missing,
  ///   unexpected, of another shape (all in one message) or not finite.
  package convenience init(
    _ configuration: CLIPConfiguration, tensors: [String: Tensor], allowsNonFinite: Bool = false
  ) throws(CLIPError) {
    try configuration.validate()
    self.init(
      configuration,
      try ParameterTable(
        configuration.tensorSpecifications, tensors: tensors, allowsNonFinite: allowsNonFinite))
  }

  /// Makes a model of tensors that nothing else uses, without a copy: a checkpoint just read.
  ///
  /// - Throws: as the form that copies.
  package convenience init(
    _ configuration: CLIPConfiguration, adopting tensors: [String: Tensor],
    allowsNonFinite: Bool = false
  ) throws(CLIPError) {
    try configuration.validate()
    self.init(
      configuration,
      try ParameterTable(
        configuration.tensorSpecifications, tensors: tensors, allowsNonFinite: allowsNonFinite,
        copies: false))
  }

  /// Makes an untrained model.
  ///
  /// - Throws: `unsupported` when the configuration cannot be; `outOfMemory`.
  package convenience init(
    _ configuration: CLIPConfiguration, randomSeed: UInt64
  ) throws(CLIPError) {
    try configuration.validate()
    self.init(
      configuration, try ParameterTable(configuration.tensorSpecifications, seed: randomSeed))
  }

  private init(_ configuration: CLIPConfiguration, _ table: ParameterTable) {
    self.configuration = configuration
    parameters = table.parameters
    logitScale = table.parameter("logit_scale")
    text = configuration.text.map { TextTransformer($0, table) }
    switch configuration.vision {
    case .transformer(let vision):
      visual = .transformer(VisionTransformer(vision, table))
      batchNorms = []
    case .resNet(let vision):
      let tower = ModifiedResNet(vision, table)
      visual = .resNet(tower)
      batchNorms = tower.norms
    case nil:
      visual = nil
      batchNorms = []
    }
  }

  /// The parameters of the image tower, in state-dict order.
  package var imageParameters: [Parameter] {
    parameters.filter { $0.name.hasPrefix("visual.") }
  }

  /// Returns raw image features `[B, E]`.
  ///
  /// - Parameter pixels: `[B, 3, S, S]` single precision, normalised with the configuration's mean
  ///   and standard deviation.
  /// - Throws: `shape` for other pixels; `unsupported` without an image tower.
  package func imageFeatures(_ tape: Tape, _ pixels: Variable) throws(CLIPError) -> Variable {
    guard let visual, let vision = configuration.vision else {
      throw CLIPError(
        .unsupported,
        "model: it has no image tower; expected visual weights, got a text-only checkpoint")
    }
    let size = vision.imageSize
    guard pixels.shape.rank == 4, pixels.shape.dimensions.dropFirst() == [3, size, size] else {
      throw CLIPError(
        .shape,
        "encode image: pixels do not fit the model; expected [batch, 3, \(size), \(size)], "
          + "got \(pixels.shape)")
    }
    switch visual {
    case .transformer(let tower): return try tower(tape, pixels)
    case .resNet(let tower): return try tower(tape, pixels)
    }
  }

  /// Returns raw text features `[B, E]`.
  ///
  /// - Throws: `invalidArgument` for ids outside the vocabulary; `shape` for captions longer than
  ///   the context; `unsupported` without a text tower.
  package func textFeatures(_ tape: Tape, _ tokens: TokenBatch) throws(CLIPError) -> Variable {
    let tower = try textTower(longest: tokens.sequences.longest)
    return try tower(tape, tokens)
  }

  private func textTower(longest: Int) throws(CLIPError) -> TextTransformer {
    guard let text else {
      throw CLIPError(
        .unsupported,
        "model: it has no text tower; expected text weights, got an image-only checkpoint")
    }
    guard longest <= text.configuration.contextLength else {
      throw CLIPError(
        .shape,
        "encode text: a caption is too long; expected at most "
          + "\(text.configuration.contextLength) tokens, got \(longest)")
    }
    return text
  }
}
