/// A trigger that a search found, as numbers that can be kept.
package struct FoundTrigger: Equatable, Sendable {
  package let kind: TriggerKind
  /// As `TriggerKind.sizeMeaning` says.
  package let size: Float
  /// S.
  package let side: Int
  /// Row-major `[planes, S, S]`; what they mean is the kind's own.
  package let numbers: [Float]

  /// - Parameter numbers: in the kind's range, as many as it has planes of `side` × `side`.
  init(kind: TriggerKind, size: Float, side: Int, numbers: [Float]) {
    precondition(numbers.count == kind.planes * side * side, "planes of side × side numbers")
    self.kind = kind
    self.size = size
    self.side = side
    self.numbers = numbers
  }

  /// Reads the numbers of a file.
  ///
  /// - Throws: `format` for another shape, a size below zero, and numbers that no trigger of the kind
  ///   has.
  init(
    kind: TriggerKind, size: Float, side: Int, values: Tensor, file: String
  ) throws(CLIPError) {
    let planes = kind.planes
    guard side > 0, values.dtype == .f32, values.shape == Shape([planes, side, side]) else {
      throw CLIPError(
        .format,
        "'\(file)': a trigger of kind \(kind.name) has shape \(values.shape) of "
          + "\(values.dtype); expected [\(planes), \(side), \(side)] of f32")
    }
    guard size.isFinite, size >= 0 else {
      throw CLIPError(
        .format, "'\(file)': a trigger's size is out of range; expected from 0, got \(size)")
    }
    let numbers = values.floats()
    let range = kind.range(side: side)
    if let wrong = numbers.first(where: { !range.contains($0) }) {
      throw CLIPError(
        .format,
        "'\(file)': a number of a trigger of kind \(kind.name) is out of range; expected "
          + "\(range.lowerBound) to \(range.upperBound), got \(wrong)")
    }
    self.init(kind: kind, size: size, side: side, numbers: numbers)
  }

  /// Returns images `[B, 3, S, S]` in 0…1 with the trigger.
  ///
  /// - Throws: `shape` for images of another size.
  package func applied(to images: Tensor) throws(CLIPError) -> Tensor {
    guard images.shape.rank == 4,
      images.shape.dimensions.dropFirst().elementsEqual([3, side, side])
    else {
      throw CLIPError(
        .shape,
        "trigger: was recovered for images of another size; expected "
          + "[count, 3, \(side), \(side)], got \(images.shape)")
    }
    let output = try Tensor(images.shape)
    kind.space.apply(numbers, side: side, images: images, into: output)
    return output
  }

  /// The trigger as an image, as its kind shows it.
  package var image: RGBImage { kind.space.image(numbers, side: side) }
}

extension FoundTrigger: TriggerPattern {
  func applied(
    to image: RGBImage, using random: inout RandomNumbers
  ) throws(CLIPError) -> RGBImage {
    guard image.width == side, image.height == side else {
      throw CLIPError(
        .shape,
        "trigger: was recovered for images of another size; expected \(side)x\(side) pixels, got "
          + "\(image.width)x\(image.height); resize the images, not the trigger")
    }
    return RGBImage(planar: try applied(to: try Tensor(planar: [image])), row: 0)
  }
}
