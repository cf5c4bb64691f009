internal import Glibc

/// A plane wave that is added to every image, with the phase redrawn at each use.
///
/// ```
/// x'_c = clip(x_c + s a_c sin(2π (u x + w y) / S + φ_c + δ), 0, 1)        a_c = A tanh(α_c)
/// ```
///
/// for channel c at column x and row y; s is the strength and δ the phase of one use. SIG (Barni et
/// al. 2019) is one of these.
package final class WaveTrigger: LearnedTrigger {
  package let family = TriggerFamily.sinusoid
  /// u and w in cycles along a side, φ of the three channels, α of the three channels.
  package let values: Tensor
  package let learningRate: Float = 0.05
  private let side: Int
  private var strength: Float = 1
  private var phase: Float = 0

  /// A: the authors' strongest is 20/255.
  static let largestAmplitude: Float = 24 / 255

  private init(values: Tensor, side: Int) {
    self.values = values
    self.side = side
  }

  /// Makes a grey wave.
  ///
  /// - Parameters:
  ///   - frequency: u and w.
  ///   - phase: of all channels.
  ///   - amplitude: at most `largestAmplitude`.
  package convenience init(
    imageSize: Int, frequency: (u: Float, w: Float), phase: Float, amplitude: Float
  ) throws(CLIPError) {
    let raw = atanhf(min(0.95, amplitude / Self.largestAmplitude))
    self.init(
      values: try Tensor([frequency.u, frequency.w, phase, phase, phase, raw, raw, raw], [8]),
      side: imageSize)
  }

  package func vary(strength: Float, using random: inout RandomNumbers) {
    self.strength = strength
    phase = 2 * Float.pi * random.uniform()
  }

  private func angle(_ channel: Int, _ pixel: Int, _ phase: Float) -> Float {
    let x = Float(pixel % side)
    let y = Float(pixel / side)
    return 2 * Float.pi * (values.f32[0] * x + values.f32[1] * y) / Float(side)
      + values.f32[2 + channel] + phase
  }

  private func pattern(strength: Float, phase: Float) -> [Float] {
    let area = side * side
    return (0..<3 * area).map { i in
      strength * Self.largestAmplitude * tanhf(values.f32[5 + i / area])
        * sinf(angle(i / area, i % area, phase))
    }
  }

  package func apply(to images: Tensor, into output: Tensor) {
    AdditiveSpace.apply(
      pattern(strength: strength, phase: phase), side: side, images: images, into: output)
  }

  package func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor) {
    let area = side * side
    let pattern = pattern(strength: strength, phase: phase)
    var sums = [Float](repeating: 0, count: 3 * area)
    for row in 0..<images.shape[0] {
      let source = images.f32 + row * 3 * area
      let d = dOutput.f32 + row * 3 * area
      for i in 0..<3 * area {
        let value = source[i] + pattern[i]
        if value >= 0 && value <= 1 { sums[i] += d[i] }
      }
    }
    for i in 0..<3 * area {
      let channel = i / area
      let pixel = i % area
      let t = tanhf(values.f32[5 + channel])
      let reach = strength * Self.largestAmplitude
      let angle = angle(channel, pixel, phase)
      let dAngle = sums[i] * reach * t * cosf(angle)
      gradient.f32[0] += dAngle * 2 * Float.pi * Float(pixel % side) / Float(side)
      gradient.f32[1] += dAngle * 2 * Float.pi * Float(pixel / side) / Float(side)
      gradient.f32[2 + channel] += dAngle
      gradient.f32[5 + channel] += sums[i] * reach * (1 - t * t) * sinf(angle)
    }
  }

  package func copy() throws(CLIPError) -> any LearnedTrigger {
    WaveTrigger(values: try values.copy(), side: side)
  }

  package func snapshot() -> FoundTrigger {
    FoundTrigger(
      kind: .additive,
      size: (5..<8).reduce(0) {
        max($0, Self.largestAmplitude * abs(tanhf(values.f32[$1])))
      }, side: side, numbers: pattern(strength: 1, phase: 0))
  }
}
