internal import CKernels
internal import Glibc

/// Settings of one search.
package struct TriggerSearchOptions: Equatable, Sendable {
  /// Steps at most.
  package var steps = 300
  /// Pictures of one step.
  package var batchSize = 24
  /// Steps without a trigger smaller by 2 % after which the search ends, once it found one.
  package var patience = 80
  package var precision = DType.f32
  package var seed: UInt64 = 0

  package init() {}
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
  /// `[E]`, unit length: where the mean feature moves to, from that of the pictures as they are.
  package let direction: [Float]
  package let steps: Int
}

/// Looks for a small change of pictures that makes all of them look alike to the image tower.
///
/// DECREE (Feng et al. 2023, arXiv:2303.15180) on projected, normalised features:
///
/// ```
/// minimise  - mean_{i ≠ j} cos(f(x'_i), f(x'_j)) + penalty on the size of the trigger
/// ```
///
/// Directions of earlier finds can be forbidden, which makes further searches a reference for the
/// first: in a sound model, collapse to one place is about as costly as collapse to another.
struct TriggerSearch {
  let model: CLIPModel
  /// `[n, 3, S, S]` in 0…1.
  let images: Tensor
  /// `[E]`: the mean of the pictures' normalised features.
  let cleanMean: [Float]
  let options: TriggerSearchOptions

  /// Searches one space.
  ///
  /// - Parameters:
  ///   - forbidden: directions of earlier finds.
  ///   - progress: called after every step with the number of steps done; `false` cancels.
  /// - Throws: `cancelled`; `state` when features are not finite.
  func run(
    _ space: any TriggerSpace, forbidden: [[Float]], random: inout RandomNumbers,
    progress: (Int) -> Bool
  ) throws(CLIPError) -> TriggerSearchResult {
    let optimizer = try SearchOptimizer(space.values)
    let batch = min(options.batchSize, images.shape[0])
    let inner = images.count / images.shape[0]
    let clean = try Tensor(Shape([batch] + images.shape.dimensions.dropFirst()))
    let triggered = try Tensor(clean.shape)
    var best: TriggerSearchResult?
    var lastGain = 0
    var step = 0
    while step < options.steps {
      for row in 0..<batch {
        let index = random.integer(below: images.shape[0])
        memcpy(clean.f32 + row * inner, images.f32 + index * inner, inner * 4)
      }
      space.apply(to: clean, into: triggered)
      let (loss, dPixels) = try objective(triggered, forbidden: forbidden)
      let succeeded = loss.collapse > space.kind.collapseThreshold && !loss.isForbidden
      let smallest = best?.size ?? space.largestSize
      if succeeded, space.size < smallest {
        if best == nil || space.size < 0.98 * smallest { lastGain = step }
        best = TriggerSearchResult(
          kind: space.kind, trigger: space.snapshot(), size: space.size,
          collapse: loss.collapse, direction: loss.direction, steps: step + 1)
      }
      let gradient = try Tensor.zeros(space.values.shape)
      space.pullBack(dPixels, images: clean, into: gradient)
      space.press(collapsed: succeeded, into: gradient)
      optimizer.step(gradient, learningRate: space.learningRate * rate(step))
      step += 1
      guard progress(step) else {
        throw CLIPError(.cancelled, "check model: the search was cancelled at step \(step)")
      }
      if best != nil, step - lastGain > options.patience { break }
    }
    guard let best else {
      return TriggerSearchResult(
        kind: space.kind, trigger: nil, size: space.largestSize, collapse: 0, direction: [],
        steps: step)
    }
    return best
  }

  /// The share of the first learning rate at a step: full for half of the search, then a fifth.
  private func rate(_ step: Int) -> Float { step < options.steps / 2 ? 1 : 0.2 }

  /// The loss, and its gradient with respect to the triggered pictures in 0…1.
  private func objective(
    _ triggered: Tensor, forbidden: [[Float]]
  ) throws(CLIPError) -> (loss: CollapseLoss, dPixels: Tensor) {
    let tape = Tape(precision: options.precision, isTraining: false)
    let input = Variable(
      try PixelScale(model.configuration).normalized(triggered), requiresGradient: true)
    let features = try tape.normalize(try model.imageFeatures(tape, input))
    let loss = try CollapseLoss(features.value, cleanMean: cleanMean, forbidden: forbidden)
    try tape.backward(features, gradient: loss.gradient)
    guard let dInput = input.gradient else {
      throw CLIPError(
        .internal, "check model: pixels got no gradient; expected one, got a constant feature")
    }
    return (loss, try PixelScale(model.configuration).denormalizedGradient(dInput))
  }
}

/// Adam (Kingma and Ba 2015) with DECREE's momenta.
final class SearchOptimizer {
  private let values: Tensor
  private let first: Tensor
  private let second: Tensor
  private var steps: Int64 = 0

  init(_ values: Tensor) throws(CLIPError) {
    self.values = values
    first = try Tensor.zeros(values.shape)
    second = try Tensor.zeros(values.shape)
  }

  func step(_ gradient: Tensor, learningRate: Float) {
    steps += 1
    ck_adamw(
      values.f32, gradient.f32, first.f32, second.f32, Int64(values.count), learningRate, 0.5, 0.9,
      1e-8, 0, steps, 1)
  }
}
