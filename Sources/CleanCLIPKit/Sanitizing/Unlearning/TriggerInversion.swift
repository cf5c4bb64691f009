internal import Glibc

/// Improves triggers by gradient until a model reads images that carry one as their target.
struct TriggerInversion {
  /// Searched; its parameters are not changed.
  let model: CLIPModel
  /// `[n, 3, S, S]` in 0…1, not classified as the target.
  let images: Tensor
  let aim: TriggerAim
  let precision: DType

  private static let batchSize = 16

  /// Improves a trigger.
  ///
  /// - Throws: `state` for features that are not finite; `cancelled`.
  func refine(
    _ trigger: any LearnedTrigger, steps: Int, using random: inout RandomNumbers,
    progress: () -> Bool
  ) throws(CLIPError) {
    // In and out: a closure may not capture an inout parameter.
    var stream = random
    try model.withFrozenParameters { () throws(CLIPError) in
      let optimizer = try SearchOptimizer(trigger.values)
      for step in 0..<steps {
        let batch = PixelMemory.batch(
          min(Self.batchSize, images.shape[0]), side: images.shape[2])
        let rows = (0..<batch).map { _ in
          stream.integer(below: images.shape[0])
        }
        let clean = try images.images(at: rows)
        let triggered = try Tensor(clean.shape)
        trigger.vary(strength: 1, using: &stream)
        try trigger.apply(to: clean, into: triggered)
        let dPixels = try pixelGradient(triggered)
        let gradient = try Tensor.zeros(trigger.values.shape)
        trigger.pullBack(dPixels, images: clean, into: gradient)
        // Full for half of the steps, then a fifth, as in the searches of the check.
        let rate = trigger.learningRate * (2 * step < steps ? 1 : 0.2)
        optimizer.step(gradient, learningRate: rate)
        guard progress() else { throw CLIPError(.cancelled, "unlearn: cancelled in a search") }
      }
    }
    random = stream
  }

  /// The loss of a trigger on the first images, without gradients.
  func measure(
    _ trigger: any LearnedTrigger, count: Int, using random: inout RandomNumbers
  ) throws(CLIPError) -> Float {
    let clean = images.slice(0..<min(count, images.shape[0]))
    let triggered = try Tensor(clean.shape)
    trigger.vary(strength: 1, using: &random)
    try trigger.apply(to: clean, into: triggered)
    return try aim.loss(try model.unitFeatures(ofPixels: triggered, precision: precision)).value
  }

  private func pixelGradient(_ triggered: Tensor) throws(CLIPError) -> Tensor {
    let scale = PixelScale(model.configuration)
    let tape = Tape(precision: precision, isTraining: false)
    let input = Variable(try scale.normalized(triggered), requiresGradient: true)
    let features = try tape.normalize(try model.imageFeatures(tape, input))
    let (value, gradient) = try aim.loss(features.value)
    guard value.isFinite else {
      throw CLIPError(
        .state,
        "unlearn: features are not finite; expected numbers, got NaN; the weights are broken")
    }
    try tape.backward(features, gradient: gradient)
    guard let dInput = input.gradient else {
      throw CLIPError(
        .internal, "unlearn: pixels got no gradient; expected one, got a constant feature")
    }
    return try scale.pixelGradient(dInput)
  }
}
