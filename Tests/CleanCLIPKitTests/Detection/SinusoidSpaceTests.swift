import CleanCLIPKit
import Testing

@Suite struct SinusoidSpaceTests {
  @Test func pixelsEqualTheFormula() throws {
    // One cycle along columns of 4 pixels: sin 0, π/2, π, 3π/2, times A tanh 2.
    let wave = try SinusoidSpace(imageSize: 4, frequency: (1, 0), phase: 0)
    let reach = wave.size * Float(0.9640276)
    expectClose(
      Array(wave.numbers()[..<4]), [0, reach, 0, -reach], rtol: 1e-5, atol: 1e-6)
  }

  @Test func gradientMatchesFiniteDifferences() throws {
    let wave = try SinusoidSpace(imageSize: 8, frequency: (1.5, 2), phase: 0.3)
    let images = try Tensor(
      randomFloats(2 * 3 * 64, seed: 5).map { 0.5 + 0.2 * max(-1, min(1, $0)) },
      Shape([2, 3, 8, 8]))
    let weights = try randomTensor(images.shape, seed: 6)
    func loss() throws -> Double {
      let output = try Tensor(images.shape)
      SinusoidSpace.apply(wave.numbers(), side: 8, images: images, into: output)
      return (0..<output.count).reduce(0) { $0 + Double(output.f32[$1] * weights.f32[$1]) }
    }
    let gradient = try Tensor.zeros(wave.values.shape)
    wave.pullBack(weights, images: images, into: gradient)
    for index in 0..<wave.values.count {
      let value = wave.values.f32[index]
      wave.values.f32[index] = value + 1e-3
      let above = try loss()
      wave.values.f32[index] = value - 1e-3
      let below = try loss()
      wave.values.f32[index] = value
      let difference = (above - below) / 2e-3
      #expect(abs(difference - Double(gradient.f32[index])) < 0.02 + 0.02 * abs(difference))
    }
  }

  @Test func everyFrequencyIsScannedOnce() {
    // Of the 196 whole frequencies within radius 8, each direction once.
    #expect(SinusoidSpace.frequencies(imageSize: 32).count == 98)
    #expect(SinusoidSpace.frequencies(imageSize: 2).isEmpty)
  }
}
