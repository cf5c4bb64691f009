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
  /// After how many steps it was found.
  package let steps: Int
  /// Steps that were made.
  package var searched: Int

  package init(
    kind: TriggerKind, trigger: FoundTrigger?, size: Float, collapse: Float, direction: [Float],
    steps: Int, searched: Int
  ) {
    self.kind = kind
    self.trigger = trigger
    self.size = size
    self.collapse = collapse
    self.direction = direction
    self.steps = steps
    self.searched = searched
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
  /// `[E]`: the mean of the images' normalised features.
  let cleanMean: [Float]
  let options: TriggerSearchOptions

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
    let search = try RunningSearch(
      space, images: images, goal: goal, options: options, random: random)
    try JointSearch(model: model, cleanMean: cleanMean, precision: options.precision)
      .run([search], progress: progress)
    random = search.random
    return search.result
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
