/// How a model wants its images prepared: what OpenCLIP calls `preprocess_cfg`.
package struct ImagePreprocessing: Equatable, Sendable {
  /// Per-channel mean of pixels in 0…1, red, green, blue.
  package var mean: [Float] = [0.48145466, 0.4578275, 0.40821073]
  /// Per-channel standard deviation of pixels in 0…1.
  package var standardDeviation: [Float] = [0.26862954, 0.26130258, 0.27577711]
  package var resizeMode = ResizeMode.shortest
  package var interpolation = Interpolation.bicubic
  /// Of each channel beside images that do not fill the square; used by `longest`.
  package var fillColor: UInt8 = 0

  package init() {}

  /// The preparation of pixels that stay in 0…1.
  package var withoutNormalization: ImagePreprocessing {
    var copy = self
    copy.mean = [0, 0, 0]
    copy.standardDeviation = [1, 1, 1]
    return copy
  }
}

/// How an image of any shape becomes a square.
package enum ResizeMode: String, CaseIterable, Sendable {
  /// The shorter side gets the square's length, and the middle is cut out.
  case shortest
  /// The longer side gets the square's length, and the rest is filled.
  case longest
  /// Both sides get the square's length.
  case squash
}

/// How pixels between pixels are computed.
package enum Interpolation: String, CaseIterable, Sendable {
  case bicubic, bilinear
}
