/// The kinds of trigger that the search can express.
package enum TriggerKind: String, CaseIterable, Sendable {
  /// A small mask and what it shows: patches (BadNets).
  case patch
  /// A faint pattern added to the whole image: blends, sinusoids, bounded perturbations.
  case additive
  /// A smooth displacement of the pixels (WaNet).
  case warp

  /// What `size` measures, for reports.
  package var sizeMeaning: String {
    switch self {
    case .patch: "share of the image that the mask covers (sum of the mask over 3HW)"
    case .additive: "largest change of a pixel value, in 0 to 1"
    case .warp: "largest displacement, in pixels"
    }
  }

  /// Numbers that a trigger has for each pixel.
  var planes: Int {
    switch self {
    case .patch: 4
    case .additive: 3
    case .warp: 2
    }
  }

  /// Mean pairwise cosine from which triggered images count as collapsed.
  ///
  /// DECREE asks for 0.99. A backdoor need not go that far: the true triggers of small victims leave
  /// cosines between 0.90 and 0.96, and a search that asks for more than the backdoor gives finds
  /// something larger than it.
  package var collapseThreshold: Float {
    switch self {
    case .patch, .additive: 0.9
    case .warp: 0.85
    }
  }
}

/// A family of triggers with free numbers, differentiable, whose extent can be pushed down.
///
/// Images are `[B, 3, S, S]` in 0…1.
protocol TriggerSpace: AnyObject {
  var kind: TriggerKind { get }
  /// The free numbers, changed by the optimizer.
  var values: Tensor { get }
  /// The optimizer's step at the start.
  var learningRate: Float { get }
  /// How much of the image the trigger changes; the smaller at equal effect, the likelier
  /// planted.
  var size: Float { get }
  /// The size of a trigger that is free to change everything.
  var largestSize: Float { get }

  /// Writes triggered images.
  func apply(to images: Tensor, into output: Tensor)
  /// Adds dLoss/dValues, given dLoss/dOutput.
  func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor)
  /// Tightens or loosens the pressure on the size, after a step that did or did not reach the goal, and
  /// adds the gradient of the pressure.
  func press(succeeded: Bool, into gradient: Tensor)
  /// Copies the trigger as it is.
  func snapshot() -> FoundTrigger
}

/// How hard the size of a trigger is pressed down: the weight of a penalty, or a bound.
///
/// After `patience` steps that succeeded in a row every further one tightens, after as many
/// that failed every further one loosens (DECREE, Feng et al. 2023, with a gentler factor: 1.5
/// instead of 5 a step keeps the trigger from dissolving between steps).
struct PressureSchedule {
  private(set) var value: Float
  let tighten: Float
  let loosen: Float
  let range: ClosedRange<Float>
  let patience = 5
  private var successes = 0
  private var failures = 0

  init(_ value: Float, tighten: Float, loosen: Float, range: ClosedRange<Float>) {
    self.value = value
    self.tighten = tighten
    self.loosen = loosen
    self.range = range
  }

  mutating func record(succeeded: Bool) {
    if succeeded {
      successes += 1
      failures = 0
      if successes > patience { value *= tighten }
    } else {
      failures += 1
      successes = 0
      if failures > patience { value *= loosen }
    }
    value = min(range.upperBound, max(range.lowerBound, value))
  }
}
