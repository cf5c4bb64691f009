internal import Glibc

/// A plane wave that is added to every image, bounded by an amplitude that the search drives down.
///
/// ```
/// x'_c = clip(x_c + A tanh(α_c) sin(2π (u x + w y) / S + φ_c), 0, 1)
/// ```
///
/// for channel c at column x and row y. SIG (Barni et al. 2019, arXiv:1902.11237) is one of these. The
/// objective has a minimum of its own at every frequency, so that a search starts from a scan of
/// single frequencies, forward only.
package final class SinusoidSpace: TriggerSpace {
  static let name = "sinusoid"
  static let plural = "plane waves"
  static let imageMeaning = "waves amplified around grey"
  static let sizeMeaning = "amplitude, in 0 to 1"
  /// A pattern of three channels to add.
  static let planes = 3
  static let collapseThreshold: Float = 0.85
  /// Between the classes of small towers 0.23, many of which no wave reaches; those that one does lie far out.
  static let usualSpread = SizeSpread(targeted: 0.35, untargeted: 0.35, weight: 10)
  static let isSearchedByDefault = true
  static let streamKey: UInt64 = 3

  static func phrase(size: Float) -> String {
    "A plane wave of \(roundedSize(size * 255)) of 255 brightness levels"
  }

  static func range(side: Int) -> ClosedRange<Float> { -1...1 }

  let side: Int
  /// u and w in cycles along a side, φ of the three channels, α of the three channels.
  package let values: Tensor
  let learningRate: Float = 0.05
  let largestSize: Float = 64 / 255
  private var bound: PenaltySchedule

  /// Cycles along a side up to which frequencies are scanned.
  static let largestRadius = 8
  private static let firstAmplitude: Float = 24 / 255

  private init(side: Int, values: Tensor) {
    self.side = side
    self.values = values
    bound = PenaltySchedule(
      Self.firstAmplitude, tighten: 0.95, loosen: 1.03, range: 1 / 255...largestSize)
  }

  /// Makes a grey wave.
  ///
  /// - Parameters:
  ///   - frequency: u and w.
  ///   - phase: of all channels.
  package convenience init(
    imageSize: Int, frequency: (u: Float, w: Float), phase: Float
  ) throws(CLIPError) {
    // tanh is 0.96 there: most of the amplitude, with a gradient left.
    let colour: Float = 2
    self.init(
      side: imageSize,
      values: try Tensor(
        [frequency.u, frequency.w, phase, phase, phase, colour, colour, colour], [8]))
  }

  convenience init(imageSize: Int, random: inout RandomNumbers) throws(CLIPError) {
    let radius = Float(Self.largestRadius) * random.uniform().squareRoot()
    let angle = Float.pi * random.uniform()
    try self.init(
      imageSize: imageSize, frequency: (radius * cosf(angle), radius * sinf(angle)),
      phase: 2 * Float.pi * random.uniform())
  }

  /// One wave of each whole frequency, in two phases.
  static func candidates(imageSize: Int) throws(CLIPError) -> [any TriggerSpace] {
    var list: [any TriggerSpace] = []
    for frequency in frequencies(imageSize: imageSize) {
      for phase in [0, Float.pi / 2] {
        list.append(
          try SinusoidSpace(imageSize: imageSize, frequency: frequency, phase: phase))
      }
    }
    return list
  }

  /// The whole frequencies up to the largest radius, each direction once.
  package static func frequencies(imageSize: Int) -> [(u: Float, w: Float)] {
    let radius = min(largestRadius, imageSize / 2 - 1)
    guard radius > 0 else { return [] }
    return (-radius...radius).flatMap { u in
      (0...radius).filter { w in
        u * u + w * w <= radius * radius && (w > 0 || u > 0)
      }.map { (Float(u), Float($0)) }
    }
  }

  package var size: Float { bound.value }

  package func numbers() -> [Float] {
    PlaneWave(values: values, side: side).pattern(amplitude: bound.value, phase: 0)
  }

  package static func apply(_ pattern: [Float], side: Int, images: Tensor, into output: Tensor) {
    AdditiveSpace.apply(pattern, side: side, images: images, into: output)
  }

  static func image(_ pattern: [Float], side: Int) -> RGBImage {
    AdditiveSpace.image(pattern, side: side)
  }

  package func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor) {
    PlaneWave(values: values, side: side).pullBack(
      dOutput, images: images, amplitude: bound.value, phase: 0, into: gradient)
  }

  func adjustPenalty(succeeded: Bool, into gradient: Tensor) { bound.record(succeeded: succeeded) }
}

extension TriggerKind {
  package static let sinusoid = TriggerKind(SinusoidSpace.self)
}

/// The pixels of a wave with free numbers, and their gradient.
struct PlaneWave {
  /// Free numbers.
  static let count = 8
  /// u, w, φ of three channels, α of three channels.
  let values: Tensor
  let side: Int

  /// A tanh(α_c) sin(angle), `[3, S, S]`.
  ///
  /// - Parameter phase: added to that of every channel.
  func pattern(amplitude: Float, phase: Float) -> [Float] {
    var pattern = [Float](repeating: 0, count: 3 * side * side)
    for channel in 0..<3 {
      let reach = amplitude * tanhf(values.f32[5 + channel])
      visit(channel, phase) { index, _, _, angle in pattern[index] = reach * sinf(angle) }
    }
    return pattern
  }

  /// Adds dLoss/dValues, given dLoss/dOutput of images with the wave.
  func pullBack(
    _ dOutput: Tensor, images: Tensor, amplitude: Float, phase: Float, into gradient: Tensor
  ) {
    let pattern = pattern(amplitude: amplitude, phase: phase)
    let sums = AdditiveSpace.patternGradient(dOutput, images: images, pattern: pattern)
    for channel in 0..<3 {
      let t = tanhf(values.f32[5 + channel])
      visit(channel, phase) { index, x, y, angle in
        let dAngle = sums[index] * amplitude * t * cosf(angle)
        gradient.f32[0] += dAngle * 2 * Float.pi * x / Float(side)
        gradient.f32[1] += dAngle * 2 * Float.pi * y / Float(side)
        gradient.f32[2 + channel] += dAngle
        gradient.f32[5 + channel] += sums[index] * amplitude * (1 - t * t) * sinf(angle)
      }
    }
  }

  private func visit(
    _ channel: Int, _ phase: Float,
    _ body: (_ index: Int, _ x: Float, _ y: Float, _ angle: Float) -> Void
  ) {
    let step = 2 * Float.pi / Float(side)
    let shift = values.f32[2 + channel] + phase
    for row in 0..<side {
      let y = Float(row)
      for column in 0..<side {
        let x = Float(column)
        body(
          (channel * side + row) * side + column, x, y,
          step * (values.f32[0] * x + values.f32[1] * y) + shift)
      }
    }
  }
}
