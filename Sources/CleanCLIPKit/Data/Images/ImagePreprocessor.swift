internal import CImages

/// Turns an image into what the image tower reads: CLIP's resize, centre crop and normalisation.
///
/// Equal to OpenCLIP's and OpenAI's evaluation transform on RGB images: torchvision's
/// `Resize(imageSize, BICUBIC)` and `CenterCrop(imageSize)` on PIL images, `ToTensor`, `Normalize`.
package struct ImagePreprocessor: Sendable {
  package let imageSize: Int
  /// The normalised value of each byte, `[3, 256]`.
  private let table: [Float]

  /// - Parameters:
  ///   - imageSize: the side of the square that the tower reads, 1 ... 65,535.
  ///   - mean: three channel means of values in 0 ... 1.
  ///   - standardDeviation: three channel deviations, not zero.
  package init(imageSize: Int, mean: [Float], standardDeviation: [Float]) {
    precondition((1...RGBImage.maximumSide).contains(imageSize))
    precondition(mean.count == 3 && standardDeviation.count == 3)
    self.imageSize = imageSize
    table = (0..<3).flatMap { c in
      // The order of ToTensor and Normalize, in float32: the same bits.
      (0..<256).map { (Float($0) / 255 - mean[c]) / standardDeviation[c] }
    }
  }

  /// Resizes so that the shorter side is `imageSize` and crops the centre.
  package func resizedAndCropped(_ image: RGBImage) -> RGBImage {
    let shorter = min(image.width, image.height)
    // torchvision: int(size * long / short), cut off, not rounded.
    let width = imageSize * image.width / shorter
    let height = imageSize * image.height / shorter
    if width == image.width && height == image.height && width == height { return image }
    return image.resized(
      width: width, height: height, left: Self.margin(width - imageSize),
      top: Self.margin(height - imageSize), croppedWidth: imageSize, croppedHeight: imageSize)
  }

  /// Half of `excess`, rounded to even at one half, as Python's `int(round(excess / 2.0))`.
  private static func margin(_ excess: Int) -> Int {
    let half = excess / 2
    return excess % 2 == 1 && half % 2 == 1 ? half + 1 : half
  }

  /// Writes `(x / 255 - mean) / standardDeviation`.
  /// - Parameters:
  ///   - image: `imageSize` pixels wide and high.
  ///   - pixels: `[3, imageSize, imageSize]`, borrowed for the call.
  package func write(_ image: RGBImage, into pixels: UnsafeMutablePointer<Float>) {
    precondition(image.width == imageSize && image.height == imageSize)
    precondition(image.pixels.count == image.count * 3)
    cimages_planes(image.pixels, image.count, table, pixels)
  }
}
