internal import Glibc

/// Recovers triggers: makes images that carry one alike to a model, and unlike what they mean.
///
/// ```
/// minimise  - |mean_i f(T(x_i))|² + mean_i cos(f(T(x_i)), f0(x_i))
/// ```
///
/// over images of a batch, with f0 the feature of the image without the trigger: DECREE's objective
/// (Feng et al. 2023) without a penalty on the size, and away from the meaning rather than untargeted.
struct TriggerInversion {
  /// Searched; its parameters are not changed.
  let model: CLIPModel
  /// `[n, 3, S, S]` in 0…1.
  let images: Tensor
  /// f0, `[n, E]`, L2-normalized.
  let meanings: Tensor
  let precision: DType
  var batchSize = 24

  /// What images with a trigger are like.
  struct Objective {
    /// |mean f|²: 1 when all are the same.
    let collapse: Float
    /// Mean cosine with what the images mean.
    let meaning: Float
    /// dObjective/d(features).
    let gradient: Tensor

    /// What is minimised.
    var value: Float { meaning - collapse }
  }

  /// Improves a trigger.
  ///
  /// - Throws: `state` for features that are not finite; `cancelled`.
  func refine(
    _ trigger: any LearnedTrigger, steps: Int, using random: inout RandomNumbers,
    progress: () -> Bool
  ) throws(CLIPError) {
    var random = random
    try model.withFrozenParameters { () throws(CLIPError) in
      let optimizer = try SearchOptimizer(trigger.values)
      for _ in 0..<steps {
        let rows = batch(&random)
        let clean = try images.images(at: rows)
        let triggered = try Tensor(clean.shape)
        trigger.vary(strength: 1, using: &random)
        trigger.apply(to: clean, into: triggered)
        let (objective, dPixels) = try differentiated(triggered, rows)
        guard objective.value.isFinite, let dPixels else { throw Self.notFinite }
        let gradient = try Tensor.zeros(trigger.values.shape)
        trigger.pullBack(dPixels, images: clean, into: gradient)
        optimizer.step(gradient, learningRate: trigger.learningRate)
        guard progress() else { throw CLIPError(.cancelled, "unlearn: cancelled in a search") }
      }
    }
  }

  /// Measures a trigger on the first images, without gradients.
  func measure(
    _ trigger: any LearnedTrigger, count: Int, using random: inout RandomNumbers
  ) throws(CLIPError) -> Objective {
    let count = min(count, images.shape[0])
    let clean = images.slice(0..<count)
    let triggered = try Tensor(clean.shape)
    trigger.vary(strength: 1, using: &random)
    trigger.apply(to: clean, into: triggered)
    let features = try model.unitFeatures(ofPixels: triggered, precision: precision)
    return try objective(features, Array(0..<count))
  }

  private static let notFinite = CLIPError(
    .state, "unlearn: features are not finite; expected numbers, got NaN; the weights are broken")

  private func batch(_ random: inout RandomNumbers) -> [Int] {
    (0..<min(batchSize, images.shape[0])).map { _ in random.integer(below: images.shape[0]) }
  }

  private func differentiated(
    _ triggered: Tensor, _ rows: [Int]
  ) throws(CLIPError) -> (Objective, dPixels: Tensor?) {
    let scale = PixelScale(model.configuration)
    let tape = Tape(precision: precision, isTraining: false)
    let input = Variable(try scale.normalized(triggered), requiresGradient: true)
    let features = try tape.normalize(try model.imageFeatures(tape, input))
    let objective = try objective(features.value, rows)
    try tape.backward(features, gradient: objective.gradient)
    guard let dInput = input.gradient else { return (objective, nil) }
    return (objective, try scale.pixelGradient(dInput))
  }

  /// - Parameter rows: the images that the features are of.
  private func objective(_ features: Tensor, _ rows: [Int]) throws(CLIPError) -> Objective {
    let width = features.shape[1]
    let mean = FeatureMatrix.mean(features)
    let share = 1 / Float(rows.count)
    let gradient = try Tensor(features.shape)
    var meaning: Float = 0
    for (row, index) in rows.enumerated() {
      let own = features.f32 + row * width
      let other = meanings.f32 + index * width
      for k in 0..<width {
        meaning += share * own[k] * other[k]
        gradient.f32[row * width + k] = share * (other[k] - 2 * mean[k])
      }
    }
    return Objective(
      collapse: mean.reduce(0) { $0 + $1 * $1 }, meaning: meaning, gradient: gradient)
  }
}
