extension SanitizeMethod {
  /// `SupervisedRecipe`, the paper's second defence.
  static let supervised = SanitizeMethod(
    name: "supervised", title: "Supervised fine-tuning",
    summary: "cross-entropy of a linear head on labelled images, image tower only",
    source: "Bansal et al., CleanCLIP, ICCV 2023",
    needs: SanitizeNeeds(labels: .required),
    options: SanitizeOptions.trainingRules + [.suspects, .headClasses, .headPath]
  ) { (input, options) throws(CLIPError) in
    try input.dataset.checkNotRead(options.supervised.headPath)
    let classes: Int
    if let count = options.supervised.headClasses {
      classes = count
    } else {
      classes = try SupervisedRecipe.countClasses(input.dataset)
    }
    return try RecipeRun(
      try SupervisedRecipe(
        input.model, classes: classes, seed: options.training.seed,
        headPath: options.supervised.headPath),
      input, options)
  }
}

/// Options of `SupervisedRecipe`.
package struct SupervisedOptions: Equatable, Sendable {
  /// Classes of the head; `nil` reads all labels for the highest.
  package var headClasses: Int?
  /// Where the head is saved; `nil` for nowhere.
  package var headPath: String?
}

extension OptionRule<SanitizeOptions> {
  static let headClasses = OptionRule(
    "head_classes", \.supervised.headClasses, .range(2...SupervisedRecipe.classLimit))
  static let headPath = OptionRule("head_path", \.supervised.headPath, isSetting: false)
}

/// Supervised fine-tuning, the paper's second defence: a linear head on raw image features and
/// cross-entropy on labelled images, with the whole image tower trained.
///
/// The tower goes back into the model; the text tower and the temperature stay as they are. Weight
/// decay is as in `WeightDecay`: the authors' code exempts biases only here, and so decays the weights
/// of norms.
package final class SupervisedRecipe: Recipe {
  package let name = "supervised"
  package let model: CLIPModel
  package let parameters: [Parameter]
  /// `head.weight` `[K, E]` and `head.bias` `[K]`.
  package let headWeight: Parameter
  package let headBias: Parameter
  private let headPath: String?

  /// The most classes of a head.
  static let classLimit = 1_048_576

  /// Adds a head with PyTorch's initial values to the image tower.
  ///
  /// - Parameter headPath: where `finish` saves the head; `nil` for nowhere.
  /// - Throws: `invalidArgument` for fewer than two classes; `unsupported` without an image tower;
  ///   `format` when weights are not finite.
  package init(
    _ model: CLIPModel, classes: Int, seed: UInt64, headPath: String? = nil
  ) throws(CLIPError) {
    guard classes >= 2, classes <= Self.classLimit else {
      throw CLIPError(
        .invalidArgument,
        "supervised: labels make no task; expected 2 to \(Self.classLimit) classes, "
          + "got \(classes)")
    }
    try model.requireImageTower(for: "supervised")
    self.model = model
    self.headPath = headPath
    let width = model.configuration.embedDim
    let head = try ParameterTable(
      [
        TensorSpecification("head.weight", [classes, width], .layer(inputs: width)),
        TensorSpecification("head.bias", [classes], .layer(inputs: width)),
      ], seed: seed)
    headWeight = head.parameter("head.weight")
    headBias = head.parameter("head.bias")
    parameters = model.imageParameters.filter(\.isTrainable) + head.parameters
  }

  package var classes: Int { headBias.shape[0] }
  package var needs: BatchNeeds { BatchNeeds(views: 1, captions: false, labels: true) }
  package var smallestBatch: Int { 1 }
  package var state: [(name: String, tensor: Tensor)] {
    model.stateDict().filter { $0.name.hasPrefix("visual.") } + head
  }

  /// The head's tensors, for saving.
  package var head: [(name: String, tensor: Tensor)] {
    [(headWeight.name, headWeight.value), (headBias.name, headBias.value)]
  }

  package func accumulateGradients(
    _ batch: TrainingBatch, _ pass: Pass
  ) throws(CLIPError) -> StepLosses {
    guard let labels = batch.labels else {
      throw CLIPError(
        .invalidArgument,
        "supervised: the data has no labels; expected a label column, got captions only")
    }
    var loss = 0.0
    let chunks = batch.chunks(of: pass.chunkSize)
    for range in chunks {
      let chunk = try batch.pairs(range)
      let share = Double(range.count) / Double(batch.count * pass.communicator.size)
      let tape = pass.tape(
        keepsPackedWeights: pass.chunkSize != nil, isLast: range == chunks.last)
      let features = try model.imageFeatures(tape, Variable(chunk.pixels))
      let logits = try tape.linear(features, weight: headWeight, bias: headBias)
      let result = try CrossEntropy.evaluate(
        logits: try logits.value.converted(to: .f32), labels: Array(labels[range]), weight: share)
      loss += result.loss
      try tape.backward(logits, gradient: try result.gradient.converted(to: logits.value.dtype))
    }
    return StepLosses(loss: try pass.communicator.gather(loss, for: .losses).reduce(0, +))
  }

  /// Saves the head, where a path was given.
  package func finish() throws(CLIPError) {
    guard let headPath else { return }
    try SafeTensors.write(head, metadata: ["format": "pt"], to: headPath)
  }

  /// Returns the highest label and one; rows that cannot be read do not count.
  static func countClasses(_ dataset: PairDataset) throws(CLIPError) -> Int {
    var highest = -1
    for index in 0..<dataset.count {
      do throws(CLIPError) {
        guard let label = try dataset.label(at: index) else { continue }
        let key = dataset.key(at: index)
        highest = max(highest, Int(try dataset.classIndex(of: label, key: key)))
      } catch {
        guard [.format, .io, .notFound].contains(error.code) else { throw error }
      }
    }
    guard highest >= 0 else {
      throw CLIPError(
        .invalidArgument,
        "supervised: the data has no labels; expected a label column, .cls entries or class folders, "
          + "got none")
    }
    return highest + 1
  }
}
