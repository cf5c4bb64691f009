/// Between pixels in 0…1 and what the image tower reads.
struct PixelScale {
  private let mean: [Float]
  private let deviation: [Float]

  init(_ configuration: CLIPConfiguration) {
    mean = configuration.imageMean
    deviation = configuration.imageStandardDeviation
  }

  /// Returns `(x - mean) / standardDeviation` of images `[B, 3, S, S]`.
  func normalized(_ pixels: Tensor) throws(CLIPError) -> Tensor {
    try mapped(pixels) { value, channel in (value - mean[channel]) / deviation[channel] }
  }

  /// Returns dLoss/dPixels, given dLoss/d(tower inputs).
  func pixelGradient(_ gradient: Tensor) throws(CLIPError) -> Tensor {
    try mapped(gradient) { value, channel in value / deviation[channel] }
  }

  private func mapped(
    _ source: Tensor, _ body: (Float, Int) -> Float
  ) throws(CLIPError) -> Tensor {
    let result = try Tensor(source.shape)
    let area = source.shape[2] * source.shape[3]
    for plane in 0..<source.shape[0] * 3 {
      let from = source.f32 + plane * area
      let to = result.f32 + plane * area
      for i in 0..<area { to[i] = body(from[i], plane % 3) }
    }
    return result
  }
}
