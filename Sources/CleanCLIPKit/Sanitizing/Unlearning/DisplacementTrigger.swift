/// A smooth displacement of the pixels, of the form that `WarpSpace` searches, at its first bound.
package final class DisplacementTrigger: LearnedTrigger {
  package let family = TriggerFamily.warp
  package let learningRate: Float = 0.1
  private let space: WarpSpace

  package var values: Tensor { space.values }

  private init(_ space: WarpSpace) { self.space = space }

  convenience init(imageSize: Int, random: inout RandomNumbers) throws(CLIPError) {
    self.init(try WarpSpace(imageSize: imageSize, random: &random))
  }

  package func vary(strength: Float, using random: inout RandomNumbers) {}

  package func apply(to images: Tensor, into output: Tensor) {
    space.apply(to: images, into: output)
  }

  package func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor) {
    space.pullBack(dOutput, images: images, into: gradient)
  }

  package func copy() throws(CLIPError) -> any LearnedTrigger {
    var unused = RandomNumbers(seed: 0)
    let other = try WarpSpace(imageSize: space.side, random: &unused)
    for i in 0..<values.count { other.values.f32[i] = values.f32[i] }
    return DisplacementTrigger(other)
  }

  package func snapshot() -> FoundTrigger? { space.snapshot() }
}
