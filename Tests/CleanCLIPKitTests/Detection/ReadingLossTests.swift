import CleanCLIPKit
import Testing

@Suite struct ReadingLossTests {
  private func vocabulary() throws -> TextVocabulary {
    try TextVocabulary(
      names: ["a", "b", "c"], features: try Tensor([1, 0, 0, 1, 0.6, 0.8] as [Float], [3, 2]))
  }

  @Test func marginsToTheClosestRivalAreAveraged() throws {
    // Towards "a": cosines (1, 0, 0.6), and (0, 1, 0.8) with the rival "b".
    let loss = try ReadingLoss(
      try Tensor([1, 0, 0, 1] as [Float], [2, 2]), as: 0, of: vocabulary())
    #expect(loss.fraction == 0.5)
    // The first margin, 0.6 - 1, is cut at -0.05; the second is 1 - 0.
    #expect(abs(loss.value - (-0.05 + 1) / 2) < 1e-6)
    // (b - a) / 2 for the second image only.
    #expect(loss.gradient.floats() == [0, 0, -0.5, 0.5])
  }

  @Test func gradientAgreesWithFiniteDifferences() throws {
    let features = try Tensor([0.3, 0.9, -0.2, 0.4, 0.8, -0.5] as [Float], [3, 2])
    let loss = try ReadingLoss(features, as: 2, of: vocabulary())
    for index in 0..<features.count {
      func moved(_ step: Float) throws -> Float {
        let other = try features.copy()
        other.withMutableFloats { $0[index] += step }
        return try ReadingLoss(other, as: 2, of: vocabulary()).value
      }
      let slope = (try moved(0.01) - moved(-0.01)) / 0.02
      #expect(abs(slope - loss.gradient.floats()[index]) < 1e-4)
    }
  }
}
