/// A smooth displacement of the pixels, of the form that `WarpSpace` searches, at a constant bound.
package final class DisplacementTrigger: LearnedTrigger {
  package let family = TriggerFamily.warp
  package let learningRate: Float = 0.1
  private let space: WarpSpace
  private var strength: Float = 1

  package var values: Tensor { space.values }

  /// - Parameter space: adopted, with its bound.
  package init(_ space: WarpSpace) { self.space = space }

  /// - Parameter values: of a `WarpSpace`.
  convenience init(imageSize: Int, bound: Float, values: [Float]) throws(CLIPError) {
    var unused = RandomNumbers(seed: 0)
    let space = try WarpSpace(imageSize: imageSize, bound: bound, random: &unused)
    for i in 0..<values.count { space.values.f32[i] = values[i] }
    self.init(space)
  }

  package func vary(strength: Float, using random: inout RandomNumbers) { self.strength = strength }

  package func apply(to images: Tensor, into output: Tensor) {
    WarpSpace.apply(space.field(strength), side: space.side, images: images, into: output)
  }

  package func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor) {
    space.pullBack(dOutput, images: images, strength: strength, into: gradient)
  }

  package func copy() throws(CLIPError) -> any LearnedTrigger {
    try DisplacementTrigger(
      imageSize: space.side, bound: space.size, values: space.values.floats())
  }

  package var record: TriggerRecord {
    TriggerRecord(
      form: .displacement, family: family, arrays: [[space.size], space.values.floats()])
  }

  package func snapshot() -> FoundTrigger? { space.snapshot() }
}
