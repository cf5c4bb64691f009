/// A trigger from elsewhere, applied as it is: what a check recovered, of any kind.
package final class FixedTrigger: LearnedTrigger {
  package let family: TriggerFamily
  package let values: Tensor
  package let learningRate: Float = 0
  private let found: FoundTrigger

  /// Makes patches ones that move and learn, and keeps other kinds as they are.
  static func wrapping(_ found: FoundTrigger) throws(CLIPError) -> any LearnedTrigger {
    if found.kind == .patch { return try MaskedTrigger.patch(found) }
    return FixedTrigger(found, values: try Tensor.zeros([1]))
  }

  private init(_ found: FoundTrigger, values: Tensor) {
    self.found = found
    self.values = values
    family = found.kind == .warp ? .warp : .additive
  }

  package func vary(strength: Float, using random: inout RandomNumbers) {}

  package func apply(to images: Tensor, into output: Tensor) {
    found.kind.space.apply(found.numbers, side: found.side, images: images, into: output)
  }

  package func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor) {}

  package func copy() throws(CLIPError) -> any LearnedTrigger { self }

  package func snapshot() -> FoundTrigger { found }
}
