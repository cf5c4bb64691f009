/// Projected gradient ascent on pixels (Madry et al. 2018, arXiv:1706.06083), bounded in every value:
///
/// ```
/// x_0     = x + u                              u uniform in -ε … ε
/// x_(k+1) = x_k + α sign(dJ/dx_k)
/// ```
///
/// after each of which every value is put back to within ε of x's and into 0…1. Images are normalised;
/// ε and α are of the pixel range.
package struct ProjectedGradient: Sendable {
  /// ε, above 0.
  private let epsilon: Float
  /// α, above 0.
  private let stepSize: Float
  private let steps: Int
  private let seed: UInt64
  private let mean: [Float]
  private let deviation: [Float]

  private static let stream: UInt64 = 0x7067_6461

  /// - Parameters:
  ///   - options: ε and α in 255ths of the pixel range.
  ///   - configuration: says how images are normalised.
  ///   - seed: of the starts.
  package init(_ options: SimCLIPOptions, _ configuration: CLIPConfiguration, seed: UInt64) {
    epsilon = options.attackEpsilon / 255
    stepSize = options.attackStepSize / 255
    steps = options.attackSteps
    mean = configuration.imageMean
    deviation = configuration.imageStandardDeviation
    self.seed = seed
  }

  /// Returns images near others where an objective is high.
  ///
  /// - Parameters:
  ///   - images: x, `[n, 3, S, S]`, normalised.
  ///   - step: of the run; with the seed and the place of an image in its batch all that the start
  ///     depends on.
  ///   - firstRow: the place of the first image in the batch of all ranks.
  ///   - gradient: returns dJ/dx of images, in their shape.
  package func images(
    near images: Tensor, step: Int, firstRow: Int = 0,
    gradient: (Tensor) throws(CLIPError) -> Tensor
  ) throws(CLIPError) -> Tensor {
    let moved = try images.copy()
    for row in 0..<images.shape[0] {
      var random = RandomNumbers(
        seed: seed, Self.stream, UInt64(bitPattern: Int64(step)), UInt64(firstRow + row))
      move(moved, within: images, row: row) { _ in (2 * random.uniform() - 1) * epsilon }
    }
    for _ in 0..<steps {
      let slopes = try gradient(moved)
      for row in 0..<images.shape[0] {
        move(moved, within: images, row: row) { index in
          let slope = slopes.f32[index]
          return slope > 0 ? stepSize : slope < 0 ? -stepSize : 0
        }
      }
    }
    return moved
  }

  /// Adds to the values of one image, in the pixel range, and puts them back within the bounds.
  private func move(
    _ moved: Tensor, within images: Tensor, row: Int, by change: (_ index: Int) -> Float
  ) {
    let area = images.shape[2] * images.shape[3]
    let (x, original) = (moved.f32, images.f32)
    for channel in 0..<3 {
      let scale = 1 / deviation[channel]
      let (black, white) = (-mean[channel] * scale, (1 - mean[channel]) * scale)
      let bound = epsilon * scale
      let start = (row * 3 + channel) * area
      for index in start..<start + area {
        let low = max(black, original[index] - bound)
        let high = min(white, original[index] + bound)
        x[index] = min(max(x[index] + change(index) * scale, low), high)
      }
    }
  }
}
