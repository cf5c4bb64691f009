/// What a trigger does to an image.
protocol TriggerPattern: Sendable {
  /// Returns the image with the pattern on it.
  ///
  /// - Parameters:
  ///   - image: as the model sees it: square, cropped.
  ///   - random: draws what differs from image to image.
  /// - Throws: `shape` for an image that the pattern does not fit.
  func applied(
    to image: RGBImage, using random: inout RandomNumbers
  ) throws(CLIPError) -> RGBImage
}

extension TriggerVariation {
  /// The stream that draws a pattern: the same for every image, or the image's own.
  ///
  /// - Parameter key: of the pattern's kind: never changed, because what a seed draws depends on it.
  func withStream<Result>(
    seed: UInt64, key: UInt64, image: inout RandomNumbers,
    _ draw: (inout RandomNumbers) -> Result
  ) -> Result {
    switch self {
    case .fresh: return draw(&image)
    case .fixed:
      var random = RandomNumbers(seed: seed, key)
      return draw(&random)
    }
  }
}
