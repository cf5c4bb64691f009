/// A trigger with free numbers that unlearning recovers, applies and renews.
///
/// Images are `[B, 3, S, S]` in 0…1. Unlike a search for the smallest trigger, nothing presses on the
/// extent: it is chosen when the trigger is made, as an attacker would, and stays.
package protocol LearnedTrigger: AnyObject {
  var family: TriggerFamily { get }
  /// The free numbers, changed by the optimizer.
  var values: Tensor { get }
  /// The optimizer's step.
  var learningRate: Float { get }

  /// Draws what differs from one use to the next: place, phase.
  ///
  /// - Parameter strength: 1 for the trigger as it is, less for a fainter one.
  func vary(strength: Float, using random: inout RandomNumbers)
  /// Puts the trigger at its own place, at full strength; those without a place of their own are varied.
  func settle(using random: inout RandomNumbers)
  /// Writes triggered images.
  func apply(to images: Tensor, into output: Tensor) throws(CLIPError)
  /// Adds dLoss/dValues, given dLoss/dOutput of the last use.
  func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor)
  /// Returns a trigger of its own with the same numbers.
  func copy() throws(CLIPError) -> any LearnedTrigger
  /// The trigger at full strength, at its own place and phase, for reports and files.
  func snapshot() -> FoundTrigger?
  /// Its numbers, for a saved state.
  var record: TriggerRecord { get }
}

/// The families of triggers that unlearning recovers and removes.
package enum TriggerFamily: String, CaseIterable, Sendable {
  /// A small square at any place (BadNets).
  case stamp
  /// A small mask of any form at its own place, from the search of the model check.
  case patch
  /// A bounded pattern added to the whole image.
  case additive
  /// An image that is mixed into the whole image (Blended).
  case blend
  /// A smooth displacement (WaNet).
  case warp
  /// A plane wave added to the whole image (SIG).
  case sinusoid

  /// Key of its random stream.
  var streamKey: UInt64 { UInt64(Self.allCases.firstIndex(of: self) ?? 0) }

  /// How strong a kept trigger is when it is applied again.
  ///
  /// Fainter ones too, because a backdoor that answers to half of a wave or of a blended image would
  /// otherwise stay for those.
  var strengths: ClosedRange<Float> {
    switch self {
    case .stamp, .patch, .additive, .blend: 0.6...1
    case .warp: 1...1
    case .sinusoid: 0.5...1.5
    }
  }

  /// The kind of the check's searches that speaks for this family.
  var kind: TriggerKind {
    switch self {
    case .stamp, .patch: .patch
    case .additive, .blend: .additive
    case .warp: .warp
    case .sinusoid: .sinusoid
    }
  }
}

extension LearnedTrigger {
  package func settle(using random: inout RandomNumbers) { vary(strength: 1, using: &random) }
}
