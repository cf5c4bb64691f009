internal import Glibc

/// A trigger that the search found, as numbers that can be kept.
package struct FoundTrigger: Equatable, Sendable {
  package let kind: TriggerKind
  /// As `TriggerKind.sizeMeaning` says.
  package let size: Float
  /// S.
  package let side: Int
  /// Row-major `[planes, S, S]`: a mask and a pattern of three channels in 0…1; a pattern of three
  /// channels to add; or displacements in pixels along columns, then rows.
  package let numbers: [Float]

  /// - Parameter numbers: finite, as many as the kind has planes of `side` × `side`.
  init(kind: TriggerKind, size: Float, side: Int, numbers: [Float]) {
    precondition(numbers.count == kind.planes * side * side, "planes of side × side numbers")
    self.kind = kind
    self.size = size
    self.side = side
    self.numbers = numbers
  }

  /// Returns images `[B, 3, S, S]` in 0…1 with the trigger.
  package func applied(to images: Tensor) throws(CLIPError) -> Tensor {
    let output = try Tensor(images.shape)
    switch kind {
    case .patch: PatchSpace.blend(numbers, area: side * side, images: images, into: output)
    case .additive: AdditiveSpace.add(numbers, images: images, into: output)
    case .warp: WarpSpace.warp(numbers, side: side, images: images, into: output)
    }
    return output
  }

  /// The trigger as an image: the patch on grey, the pattern amplified around grey, or the
  /// displacement along columns and rows as red and green.
  package var image: RGBImage {
    let area = side * side
    let strongest = max(1e-12, numbers.reduce(0) { max($0, abs($1)) })
    var image = RGBImage(width: side, height: side)
    for i in 0..<area {
      for channel in 0..<3 {
        let value: Float
        switch kind {
        case .patch: value = 0.5 + numbers[i] * (numbers[(channel + 1) * area + i] - 0.5)
        case .additive: value = 0.5 + 0.5 * numbers[channel * area + i] / strongest
        case .warp where channel < 2: value = 0.5 + 0.5 * numbers[channel * area + i] / strongest
        case .warp: value = 0.5
        }
        image.pixels[3 * i + channel] = UInt8(min(255, max(0, value * 255 + 0.5)))
      }
    }
    return image
  }
}
