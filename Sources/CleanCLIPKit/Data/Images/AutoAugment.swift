/// The ImageNet policy of AutoAugment (Cubuk et al. 2019, arXiv:1805.09501) as torchvision defines it.
///
/// `torchvision.transforms.AutoAugment()`: one of 25 pairs of operations is drawn; each of the two is
/// applied with its own probability, at a fixed magnitude whose sign is drawn. Geometry samples
/// the nearest pixel and fills with black. It comes before the resize, on the image at its own size.
package enum AutoAugment {
  /// One operation at one strength, in the units of torchvision's `_apply_op`.
  package enum Operation: Equatable, Sendable {
    /// Shifts each row by `magnitude` times its distance from the top.
    case shearX(Float)
    /// Rotates around the centre, counter-clockwise, in degrees.
    case rotate(Float)
    /// Moves away from grey by `1 + magnitude`.
    case color(Float)
    /// Moves away from the mean luma by `1 + magnitude`.
    case contrast(Float)
    /// Moves away from the smoothed image by `1 + magnitude`.
    case sharpness(Float)
    /// Keeps the upper `bits` of each value, 1 ... 8.
    case posterize(bits: Int)
    /// Inverts the values from `threshold` on.
    case solarize(threshold: Float)
    /// Stretches each channel to the full range.
    case autoContrast
    /// Equalises the histogram of each channel.
    case equalize
    /// Inverts each value.
    case invert
  }

  /// Draws a pair of operations and applies them.
  package static func apply(
    _ image: RGBImage, using random: inout RandomNumbers
  ) -> RGBImage {
    var result = image
    for operation in draw(using: &random) { result = operation.applied(to: result) }
    return result
  }

  /// Draws the operations of one image: none, one or two.
  package static func draw(using random: inout RandomNumbers) -> [Operation] {
    let pair = policies[random.integer(below: policies.count)]
    var drawn: [Operation] = []
    for step in [pair.0, pair.1] {
      // Both numbers are drawn in any case, as torchvision does.
      let isApplied = random.uniform() <= step.probability
      let isNegative = random.integer(below: 2) == 0
      if isApplied { drawn.append(step.operation(isNegative: isNegative)) }
    }
    return drawn
  }
}
