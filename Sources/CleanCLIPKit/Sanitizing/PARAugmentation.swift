/// The augmentation of PAR's images (Singh et al. 2024, arXiv:2412.00727, section 4).
///
/// With a probability of one half each: noise max(0, n), n normal with standard deviation 0.2 of the
/// pixel range, is added to every value, which stays in 0…1; and a square of 0.5 to 1 % of the area
/// becomes the mean colour, 0 after normalisation.
struct PARAugmentation {
  private let mean: [Float]
  private let deviation: [Float]
  private let seed: UInt64

  private static let stream: UInt64 = 0x7061_7261
  private static let noise: Float = 0.2
  private static let erasedArea: ClosedRange<Float> = 0.005...0.01

  init(_ configuration: CLIPConfiguration, seed: UInt64) {
    mean = configuration.imageMean
    deviation = configuration.imageStandardDeviation
    self.seed = seed
  }

  /// Returns the batch with other pixels, which depend on the seed, the step and the place in the
  /// batch alone.
  ///
  /// - Parameter firstRow: the place of the first row in the batch of all ranks.
  func applied(
    to batch: TrainingBatch, step: Int, firstRow: Int = 0
  ) throws(CLIPError) -> TrainingBatch {
    let pixels = try batch.pixels.copy()
    for row in 0..<pixels.shape[0] {
      var random = RandomNumbers(
        seed: seed, Self.stream, UInt64(bitPattern: Int64(step)), UInt64(firstRow + row))
      let (addsNoise, erases) = (random.uniform() < 0.5, random.uniform() < 0.5)
      if addsNoise { addNoise(to: pixels, row: row, using: &random) }
      if erases { erase(pixels, row: row, using: &random) }
    }
    return TrainingBatch(
      pixels: pixels, tokens: batch.tokens, views: batch.views, labels: batch.labels,
      keys: batch.keys, contents: batch.contents)
  }

  private func addNoise(to pixels: Tensor, row: Int, using random: inout RandomNumbers) {
    let area = pixels.shape[2] * pixels.shape[3]
    for channel in 0..<3 {
      let values = pixels.f32 + (row * 3 + channel) * area
      let white = (1 - mean[channel]) / deviation[channel]
      for pixel in 0..<area {
        let noise = max(0, Self.noise * random.normal()) / deviation[channel]
        values[pixel] = min(max(white, values[pixel]), values[pixel] + noise)
      }
    }
  }

  private func erase(_ pixels: Tensor, row: Int, using random: inout RandomNumbers) {
    let side = pixels.shape[3]
    let range = Self.erasedArea
    let fraction =
      range.lowerBound + (range.upperBound - range.lowerBound) * random.uniform()
    let size = min(side, max(1, Int((fraction.squareRoot() * Float(side)).rounded())))
    let top = random.integer(below: side - size + 1)
    let left = random.integer(below: side - size + 1)
    for channel in 0..<3 {
      for y in top..<top + size {
        let start = ((row * 3 + channel) * side + y) * side + left
        for x in 0..<size { pixels.f32[start + x] = 0 }
      }
    }
  }
}
