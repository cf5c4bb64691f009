internal import CImages

/// Turns an image into what the image tower reads: resize, crop and normalisation as the model has them.
///
/// Equal to OpenCLIP's evaluation transform on RGB images: torchvision's `Resize(imageSize)` and
/// `CenterCrop(imageSize)` on PIL images, or OpenCLIP's own for the other modes, then `ToTensor` and
/// `Normalize`.
package struct ImagePreprocessor: Sendable {
  package let imageSize: Int
  private let preprocessing: ImagePreprocessing
  /// The normalised value of each byte, `[3, 256]`.
  private let table: [Float]

  /// - Parameters:
  ///   - imageSize: the side of the square that the tower reads, 1 ... 65,535.
  ///   - preprocessing: with three channels each, and deviations that are not zero.
  package init(imageSize: Int, _ preprocessing: ImagePreprocessing) {
    let (mean, deviation) = (preprocessing.mean, preprocessing.standardDeviation)
    precondition((1...RGBImage.maximumSide).contains(imageSize))
    precondition(mean.count == 3 && deviation.count == 3)
    self.imageSize = imageSize
    self.preprocessing = preprocessing
    table = (0..<3).flatMap { c in
      // The order of ToTensor and Normalize, in float32: the same bits.
      (0..<256).map { (Float($0) / 255 - mean[c]) / deviation[c] }
    }
  }

  /// Makes a square of `imageSize` pixels.
  package func resizedAndCropped(_ image: RGBImage) -> RGBImage {
    if image.width == imageSize && image.height == imageSize { return image }
    switch preprocessing.resizeMode {
    case .shortest: return shortest(image)
    case .longest: return longest(image)
    case .squash:
      return resized(image, width: imageSize, height: imageSize, cropped: imageSize, imageSize)
    }
  }

  /// The shorter side fills the square, and the middle is cut out.
  private func shortest(_ image: RGBImage) -> RGBImage {
    let shorter = min(image.width, image.height)
    // torchvision: int(size * long / short), cut off, not rounded.
    return resized(
      image, width: imageSize * image.width / shorter, height: imageSize * image.height / shorter,
      cropped: imageSize, imageSize)
  }

  /// The longer side fills the square, and the fill colour the rest.
  private func longest(_ image: RGBImage) -> RGBImage {
    let ratio = Double(max(image.width, image.height)) / Double(imageSize)
    // OpenCLIP: round(side / ratio), to even at one half.
    func side(_ length: Int) -> Int {
      min(imageSize, max(1, Int((Double(length) / ratio).rounded(.toNearestOrEven))))
    }
    let (width, height) = (side(image.width), side(image.height))
    let inner = resized(image, width: width, height: height, cropped: width, height)
    let fill = preprocessing.fillColor
    var square = RGBImage(width: imageSize, height: imageSize, red: fill, green: fill, blue: fill)
    let (left, top) = ((imageSize - width) / 2, (imageSize - height) / 2)
    for row in 0..<height {
      let target = ((top + row) * imageSize + left) * 3
      square.pixels.replaceSubrange(
        target..<target + width * 3, with: inner.pixels[row * width * 3..<(row + 1) * width * 3])
    }
    return square
  }

  private func resized(
    _ image: RGBImage, width: Int, height: Int, cropped croppedWidth: Int, _ croppedHeight: Int
  ) -> RGBImage {
    image.resized(
      width: width, height: height, left: Self.margin(width - croppedWidth),
      top: Self.margin(height - croppedHeight), croppedWidth: croppedWidth,
      croppedHeight: croppedHeight, by: preprocessing.interpolation)
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
