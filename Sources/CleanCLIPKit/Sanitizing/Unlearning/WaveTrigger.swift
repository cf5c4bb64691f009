internal import Glibc

/// A plane wave that is added to every image, with another phase at every other use.
///
/// ```
/// x' = clip(x + s wave(δ), 0, 1)
/// ```
///
/// of `PlaneWave`; s is the strength and δ the phase of one use, added to the wave's own.
package final class WaveTrigger: LearnedTrigger {
  package let family = TriggerFamily.sinusoid
  /// As `PlaneWave` has them.
  package let values: Tensor
  package let learningRate: Float = 0.05
  private let wave: PlaneWave
  private let amplitude: Float
  private var strength: Float = 1
  private var phase: Float = 0

  /// - Parameters:
  ///   - values: of a `PlaneWave`, adopted.
  ///   - side: S.
  ///   - amplitude: A; SIG's authors' strongest is 20/255.
  package init(values: Tensor, side: Int, amplitude: Float) {
    self.values = values
    self.amplitude = amplitude
    wave = PlaneWave(values: values, side: side)
  }

  package func vary(strength: Float, using random: inout RandomNumbers) {
    self.strength = strength
    phase = random.uniform() < 0.5 ? 0 : 2 * Float.pi * random.uniform()
  }

  package func settle(using random: inout RandomNumbers) {
    strength = 1
    phase = 0
  }

  package func apply(to images: Tensor, into output: Tensor) {
    AdditiveSpace.apply(
      wave.pattern(amplitude: strength * amplitude, phase: phase), side: wave.side, images: images,
      into: output)
  }

  package func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor) {
    wave.pullBack(
      dOutput, images: images, amplitude: strength * amplitude, phase: phase, into: gradient)
  }

  package func copy() throws(CLIPError) -> any LearnedTrigger {
    WaveTrigger(values: try values.copy(), side: wave.side, amplitude: amplitude)
  }

  package var record: TriggerRecord {
    TriggerRecord(form: .wave, family: family, arrays: [[amplitude], values.floats()])
  }

  package func snapshot() -> FoundTrigger? {
    FoundTrigger(
      kind: .sinusoid, size: amplitude, side: wave.side,
      numbers: wave.pattern(amplitude: amplitude, phase: 0))
  }
}
