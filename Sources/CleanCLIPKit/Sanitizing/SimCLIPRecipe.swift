extension SanitizeMethod {
  /// `SimCLIPRecipe`.
  static let simclip = SanitizeMethod(
    name: "simclip", title: "Sim-CLIP",
    summary: """
      the image tower is made robust: features of images under attack are pulled together with those of \
      the images, without captions (Hossain and Imteaj 2024); removes no backdoor by itself
      """,
    source: "Hossain and Imteaj, Sim-CLIP, arXiv:2407.14971",
    needs: SanitizeNeeds(),
    options: SanitizeOptions.trainingRules + [
      .suspects, .attackEpsilon, .attackStepSize, .attackSteps,
    ]
  ) { (input, options) throws(CLIPError) in
    try RecipeRun(
      try SimCLIPRecipe(input.model, options: options.simclip, seed: options.training.seed),
      input, options)
  }
}

/// Options of `SimCLIPRecipe`: those of the attack, from the paper.
package struct SimCLIPOptions: Equatable, Sendable {
  /// ε, how far a value of an image may move, in 255ths of the pixel range.
  package var attackEpsilon: Float = 4
  /// α, how far it moves in a step of the attack, in 255ths too.
  package var attackStepSize: Float = 1
  package var attackSteps = 10

  package init() {}
}

extension OptionRule<SanitizeOptions> {
  static let attackEpsilon = OptionRule(
    "attack_epsilon", \.simclip.attackEpsilon, .above(0, through: 255))
  static let attackStepSize = OptionRule(
    "attack_step_size", \.simclip.attackStepSize, .above(0, through: 255))
  static let attackSteps = OptionRule("attack_steps", \.simclip.attackSteps, .range(1...1000))
}

/// Sim-CLIP (Hossain and Imteaj 2024, arXiv:2407.14971): the image tower on `SiameseLoss` of images and
/// of the same images under attack, text tower and temperature frozen.
///
/// The attack, `ProjectedGradient`, lowers the cosine between the features of an image and of its attacked
/// copy, both of the tower that is trained. Batch norm keeps its statistics, so that images do not depend on
/// each other, nor on what is attacked beside them.
package final class SimCLIPRecipe: Recipe {
  package let name = "simclip"
  package let model: CLIPModel
  package let parameters: [Parameter]
  private let attack: ProjectedGradient
  private var step = 0

  /// - Throws: `unsupported` without an image tower; `format` when weights of the model are not finite.
  package init(
    _ model: CLIPModel, options: SimCLIPOptions, seed: UInt64
  ) throws(CLIPError) {
    try model.requireImageTower(for: "simclip")
    self.model = model
    attack = ProjectedGradient(options, model.configuration, seed: seed)
    parameters = model.imageParameters.filter(\.isTrainable)
  }

  package var needs: BatchNeeds { BatchNeeds(views: 1, captions: false, labels: false) }
  package var smallestBatch: Int { 1 }
  package var state: [(name: String, tensor: Tensor)] {
    model.stateDict().filter { $0.name.hasPrefix("visual.") }
  }

  package func willStep(_ step: Int, epoch: Int) { self.step = step }

  package func accumulateGradients(
    _ batch: TrainingBatch, _ pass: Pass
  ) throws(CLIPError) -> StepLosses {
    let communicator = pass.communicator
    let weight = 1 / Double(batch.count * communicator.size)
    var loss = 0.0
    let chunks = batch.chunks(of: pass.chunkSize)
    for range in chunks {
      let images = try batch.pairs(range).pixels
      let attacked = try attackedImages(
        images, firstRow: communicator.rank * batch.count + range.lowerBound, pass)
      let tape = pass.tape(
        isTraining: false, keepsPackedWeights: pass.chunkSize != nil, isLast: range == chunks.last)
      let features = try features(tape, Variable(try Tensor.joined(images, attacked)))
      let result = try SiameseLoss.evaluate(features.value, weight: weight)
      loss += result.loss
      try tape.backward(features, gradient: result.gradient)
    }
    let sum = try communicator.gather(loss, for: .losses).reduce(0, +)
    return StepLosses(loss: sum, inmodalLoss: sum)
  }

  /// Images near those given whose features lie away from theirs, in the tower as it is.
  package func attackedImages(
    _ images: Tensor, firstRow: Int = 0, _ pass: Pass
  ) throws(CLIPError) -> Tensor {
    let still = pass.tape(isTraining: false, isRecording: false)
    let aims = try features(still, Variable(images)).value
    return try model.withFrozenParameters { () throws(CLIPError) in
      try attack.images(near: images, step: step, firstRow: firstRow) {
        (moved) throws(CLIPError) in
        let tape = pass.tape(isTraining: false)
        let input = Variable(moved, requiresGradient: true)
        let features = try features(tape, input)
        let away = try Tensor(aims.shape)
        let now = features.value.f32
        for index in 0..<aims.count { away.f32[index] = now[index] - aims.f32[index] }
        try tape.backward(features, gradient: away)
        if let slope = input.gradient { return slope }
        return try Tensor.zeros(moved.shape)
      }
    }
  }

  /// L2-normalized features of images on a tape.
  private func features(_ tape: Tape, _ images: Variable) throws(CLIPError) -> Variable {
    try tape.normalize(try model.imageFeatures(tape, images))
  }
}
