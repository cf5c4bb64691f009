import CleanCLIPKit
import Testing

@Suite struct CleanCLIPLossTests {
  /// Unit rows from a seed.
  private static func features(_ rows: Int, _ columns: Int, seed: UInt64) throws -> Tensor {
    var random = RandomNumbers(seed: seed)
    var values: [Float] = []
    for _ in 0..<rows {
      let row = (0..<columns).map { _ in random.normal() }
      let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      values += row.map { $0 / norm }
    }
    return try Tensor(values, [rows, columns])
  }

  /// Two pairs along the axes: each logit is s or 0.
  @Test func valueMatchesHandComputation() throws {
    let axes = try Tensor([1, 0, 0, 1, 1, 0, 0, 1] as [Float], [4, 2])
    let swapped = try Tensor([1, 0, 0, 1, 0, 1, 1, 0] as [Float], [4, 2])
    let result = try CleanCLIPLoss(clipWeight: 2, inmodalWeight: 3).evaluate(
      imageFeatures: axes, textFeatures: swapped, logitScale: 0)
    // ln(1 + e^-1) where the diagonal is right, ln(1 + e) where it is wrong.
    let (right, wrong) = (0.31326168751822286, 1.3132616875182228)
    #expect(abs(result.crossmodalLoss - right) < 1e-6)
    #expect(abs(result.inmodalLoss - (right + wrong) / 2) < 1e-6)
    #expect(abs(result.loss - (2 * right + 3 * (right + wrong) / 2)) < 1e-6)
  }

  @Test(arguments: [(1, 0), (0, 1), (1, 0.7)] as [(Float, Float)])
  func gradientsMatchFiniteDifferences(weights: (Float, Float)) throws {
    let loss = CleanCLIPLoss(clipWeight: weights.0, inmodalWeight: weights.1)
    let images = try Self.features(loss.views * 3, 5, seed: 1)
    let texts = try Self.features(loss.views * 3, 5, seed: 2)
    let logitScale: Float = 1.3
    let result = try loss.evaluate(
      imageFeatures: images, textFeatures: texts, logitScale: logitScale)
    func value(_ logitScale: Float) throws -> Double {
      try loss.evaluate(
        imageFeatures: images, textFeatures: texts, logitScale: logitScale
      ).loss
    }
    // Single-precision logits: 1e-7 of rounding over a step of 2e-3 leaves about 1e-4.
    let step: Float = 1e-3
    for (features, gradient) in [(images, result.imageGradient), (texts, result.textGradient)] {
      for index in 0..<features.count {
        let original = features.f32[index]
        features.f32[index] = original + step
        let above = try value(logitScale)
        features.f32[index] = original - step
        let below = try value(logitScale)
        features.f32[index] = original
        #expect(abs((above - below) / Double(2 * step) - Double(gradient.f32[index])) < 1e-3)
      }
    }
    let slope = (try value(logitScale + step) - value(logitScale - step)) / Double(2 * step)
    #expect(abs(slope - result.logitScaleGradient) < 1e-3)
  }

  @Test func largeTemperatureStaysFinite() throws {
    let images = try Self.features(8, 4, seed: 3)
    let texts = try Self.features(8, 4, seed: 4)
    let result = try CleanCLIPLoss(clipWeight: 1, inmodalWeight: 1).evaluate(
      imageFeatures: images, textFeatures: texts, logitScale: 4.6052)
    #expect(result.loss.isFinite && result.imageGradient.isFinite)
  }

  @Test func featuresOfAnotherNumberOfViewsAreRefused() throws {
    let images = try Self.features(3, 4, seed: 3)
    #expect(throws: CLIPError.self) {
      try CleanCLIPLoss(clipWeight: 1, inmodalWeight: 1).evaluate(
        imageFeatures: images, textFeatures: images, logitScale: 1)
    }
  }

  @Test func crossEntropyNamesALabelOutOfRange() throws {
    let logits = try Tensor.zeros([2, 3])
    #expect(abs(try CrossEntropy.evaluate(logits: logits, labels: [0, 2]).loss - 1.0986123) < 1e-6)
    let error = #expect(throws: CLIPError.self) {
      try CrossEntropy.evaluate(logits: logits, labels: [0, 3])
    }
    #expect(
      error?.message == "cross entropy: a label is out of range; expected 0 to 2, got 3")
  }
}
