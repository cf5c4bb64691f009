internal import CKernels
internal import Glibc

/// Settings of one search.
package struct TriggerSearchOptions: Equatable, Sendable {
  /// Steps at most.
  package var steps = 200
  /// Images of one step.
  package var batchSize = 12
  /// Steps without a trigger smaller by 2 % after which the search ends, once it found one.
  package var patience = 40
  /// Steps without any trigger after which the search ends: the penalty on the size is gone long
  /// before.
  package var hopeless = 100
  package var precision = DType.f32
  package var seed: UInt64 = 0

  package init() {}

  /// Settings of a search toward one class of several: the same number of steps for each, so that
  /// their sizes compare, and half of the steps.
  var ofOneClass: TriggerSearchOptions {
    var options = self
    options.steps = max(1, steps / 2)
    options.patience = options.steps
    options.hopeless = options.steps
    return options
  }
}

/// What a search found.
package struct TriggerSearchResult: Sendable {
  package let kind: TriggerKind
  /// `nil` when no trigger collapsed the features.
  package let trigger: FoundTrigger?
  /// The size of the trigger; the largest that the search allows when there is none.
  package let size: Float
  /// Mean pairwise cosine of the step that the trigger comes from.
  package let collapse: Float
  /// `[E]`, L2-normalized: where the mean feature moves to, from that of the images as they are.
  package let direction: [Float]
  package let steps: Int

  package init(
    kind: TriggerKind, trigger: FoundTrigger?, size: Float, collapse: Float, direction: [Float],
    steps: Int
  ) {
    self.kind = kind
    self.trigger = trigger
    self.size = size
    self.collapse = collapse
    self.direction = direction
    self.steps = steps
  }
}

/// Looks for a small change of images that makes all of them look alike to the image tower.
///
/// DECREE (Feng et al. 2023, arXiv:2303.15180) on projected, normalised features:
///
/// ```
/// minimise  - mean_{i ≠ j} cos(f(x'_i), f(x'_j)) + penalty on the size of the trigger
/// ```
///
/// or, towards a text, with the loss of `ReadingLoss` in place of the first term (after Neural
/// Cleanse, Wang et al. 2019). Searches towards other places, by forbidden directions or by other
/// texts, are a reference for the first: in a clean model one place costs about what another does.
struct TriggerSearch {
  let model: CLIPModel
  /// `[n, 3, S, S]` in 0…1.
  let images: Tensor
  /// Those of the images that are searched with.
  let rows: [Int]
  /// `[E]`: the mean of the images' normalised features.
  let cleanMean: [Float]
  let options: TriggerSearchOptions

  /// - Parameter rows: `nil` for all images.
  init(
    model: CLIPModel, images: Tensor, rows: [Int]? = nil, cleanMean: [Float],
    options: TriggerSearchOptions
  ) {
    self.model = model
    self.images = images
    self.rows = rows ?? Array(0..<images.shape[0])
    self.cleanMean = cleanMean
    self.options = options
  }

  /// Searches one space.
  ///
  /// - Parameters:
  ///   - goal: what the features shall be like.
  ///   - progress: called after every step with the number of steps done; `false` cancels.
  /// - Throws: `cancelled`; `state` when features are not finite.
  func run(
    _ space: any TriggerSpace, goal: SearchGoal, random: inout RandomNumbers,
    progress: (Int) -> Bool
  ) throws(CLIPError) -> TriggerSearchResult {
    let optimizer = try SearchOptimizer(space.values)
    let batch = PixelMemory.batch(min(options.batchSize, rows.count), side: images.shape[2])
    let inner = images.count / images.shape[0]
    let clean = try Tensor(Shape([batch] + images.shape.dimensions.dropFirst()))
    let triggered = try Tensor(clean.shape)
    var best: TriggerSearchResult?
    var lastGain = 0
    var step = 0
    while step < options.steps {
      for row in 0..<batch {
        let index = rows[random.integer(below: rows.count)]
        memcpy(clean.f32 + row * inner, images.f32 + index * inner, inner * 4)
      }
      space.apply(to: clean, into: triggered)
      let (reached, dPixels) = try objective(triggered, goal, space.kind)
      let smallest = best?.size ?? space.largestSize
      if reached.isReached, space.size < smallest {
        if best == nil || space.size < 0.98 * smallest { lastGain = step }
        best = TriggerSearchResult(
          kind: space.kind, trigger: space.snapshot(), size: space.size,
          collapse: reached.collapse, direction: reached.direction, steps: step + 1)
      }
      let gradient = try Tensor.zeros(space.values.shape)
      space.pullBack(dPixels, images: clean, into: gradient)
      space.adjustPenalty(succeeded: reached.isReached, into: gradient)
      optimizer.step(gradient, learningRate: space.learningRate * rate(step))
      step += 1
      guard progress(step) else {
        throw CLIPError(.cancelled, "trigger search: cancelled at step \(step)")
      }
      if step - lastGain > (best == nil ? options.hopeless : options.patience) { break }
    }
    guard let best else {
      return TriggerSearchResult(
        kind: space.kind, trigger: nil, size: space.largestSize, collapse: 0, direction: [],
        steps: step)
    }
    return best
  }

  /// The fraction of the first learning rate at a step: full for half of the search, then a fifth.
  private func rate(_ step: Int) -> Float { step < options.steps / 2 ? 1 : 0.2 }

  /// How far the triggered images are from the goal, and the gradient with respect to them in 0…1.
  private func objective(
    _ triggered: Tensor, _ goal: SearchGoal, _ kind: TriggerKind
  ) throws(CLIPError) -> (reached: GoalProgress, dPixels: Tensor) {
    let tape = Tape(precision: options.precision, isTraining: false)
    let input = Variable(
      try PixelScale(model.configuration).normalized(triggered), requiresGradient: true)
    let features = try tape.normalize(try model.imageFeatures(tape, input))
    let reached = try goal.measure(
      features.value, cleanMean: cleanMean, collapseThreshold: kind.collapseThreshold)
    try tape.backward(features, gradient: reached.gradient)
    guard let dInput = input.gradient else {
      throw CLIPError(
        .internal, "check model: pixels got no gradient; expected one, got a constant feature")
    }
    return (reached, try PixelScale(model.configuration).pixelGradient(dInput))
  }
}

/// Adam (Kingma and Ba 2015), with DECREE's momenta unless others are given.
final class SearchOptimizer {
  private let values: Tensor
  private let first: Tensor
  private let second: Tensor
  private let momenta: (Float, Float)
  /// Updates done.
  private(set) var steps: Int64 = 0

  init(_ values: Tensor, momenta: (Float, Float) = (0.5, 0.9)) throws(CLIPError) {
    self.values = values
    self.momenta = momenta
    first = try Tensor.zeros(values.shape)
    second = try Tensor.zeros(values.shape)
  }

  func step(_ gradient: Tensor, learningRate: Float) {
    steps += 1
    ck_adamw(
      values.f32, gradient.f32, first.f32, second.f32, Int64(values.count), learningRate, momenta.0,
      momenta.1, 1e-8, 0, steps)
  }

  /// The moments, first and second, for a saved state.
  var moments: [[Float]] { [first.floats(), second.floats()] }

  /// Goes on after `steps` updates that left these moments.
  func resume(afterSteps steps: Int64, moments: [[Float]]) {
    self.steps = steps
    for (target, values) in zip([first, second], moments) {
      for i in 0..<target.count { target.f32[i] = values[i] }
    }
  }
}
