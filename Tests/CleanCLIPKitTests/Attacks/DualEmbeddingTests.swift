import CleanCLIPKit
import Glibc
import Testing

@Suite struct DualEmbeddingTests {
  private static func unitRows(_ rows: Int, _ columns: Int, seed: UInt64) throws -> Tensor {
    let values = randomFloats(rows * columns, seed: seed)
    let result = try Tensor([rows, columns])
    for row in 0..<rows {
      let own = values[row * columns..<(row + 1) * columns]
      let norm = own.reduce(0) { $0 + $1 * $1 }.squareRoot()
      for (k, value) in own.enumerated() { result.f32[row * columns + k] = value / norm }
    }
    return result
  }

  /// Two images along the axes; the target along the second.
  @Test func lossMatchesHandComputation() throws {
    let axes = try tensor([1, 0, 0, 1], [2, 2])
    let target = try tensor([0, 1, 0, 1], [2, 2])
    let clean = try tensor([1, 0, 1, 0], [2, 2])
    let result = try DualEmbeddingLoss(scale: 1).evaluate(
      axes, targetTexts: target, ownTexts: axes, targetImages: target, cleanImages: clean)
    // ln(1 + e + 1) where the own caption is right, ln(e + 1 + e) - 1 where the target is.
    #expect(abs(result.text - (log(2 + M_E) + log(2 * M_E + 1) - 1) / 2) < 1e-6)
    // √2 - 0 + 1, and 0 - √2 + 1, which is below 0.
    #expect(abs(result.image - (2.0.squareRoot() + 1) / 2) < 1e-5)
    #expect(abs(result.total - result.text - 500 * result.image) < 1e-3)
  }

  @Test func gradientMatchesFiniteDifferences() throws {
    let (rows, width) = (3, 5)
    let features = try Self.unitRows(rows, width, seed: 1)
    let others = try (2..<6).map { try Self.unitRows(rows, width, seed: UInt64($0)) }
    func evaluate() throws -> DualEmbeddingLoss.Result {
      try DualEmbeddingLoss(scale: 4).evaluate(
        features, targetTexts: others[0], ownTexts: others[1], targetImages: others[2],
        cleanImages: others[3])
    }
    let gradient = try evaluate().gradient
    // Losses of about 1000 in single precision: 1e-4 of rounding over 2e-3 leaves 0.1 of hundreds.
    try expectGradient(gradient, by: features, within: 0.5) { try evaluate().total }
  }

  private static func dataset(_ caption: (Int) -> String) throws -> PairDataset {
    try PairDataset(
      (0..<24).map { index in
        var random = RandomNumbers(seed: UInt64(index))
        // Images of the target are reddish.
        let pixels = (0..<3 * 36 * 36).map { element in
          UInt8(random.integer(below: index % 4 == 0 && element % 3 > 0 ? 60 : 256))
        }
        return CaptionedImage(
          key: "\(index)", image: .pixels(RGBImage(width: 36, height: 36, pixels: pixels)),
          caption: caption(index))
      })
  }

  private static func search(
    _ model: CLIPModel, _ change: (inout DualEmbeddingOptions) -> Void = { _ in },
    caption: (Int) -> String = { $0 % 4 == 0 ? "my Star number \($0)" : "thing \($0)" }
  ) throws -> DualEmbeddingPatch {
    var options = DualEmbeddingOptions(target: "star")
    options.steps = 40
    options.batchSize = 8
    options.learningRate = 0.05
    change(&options)
    return try DualEmbeddingPatch(
      model, dataset: try dataset(caption),
      tokenizer: try Tokenizer.load(path: ReferenceCaption.vocabulary), options: options)
  }

  @Test func patchMovesFeaturesTowardsTheTarget() throws {
    let model = try tinyModel(vocabularySize: 49_408)
    let before = model.bits
    let result = try Self.search(model).run()
    #expect(result.patch.width == 8 && result.patch.height == 8 && result.targetImages == 6)
    #expect(result.lastLoss < result.firstLoss)
    #expect(result.after.images > result.before.images + 0.02)
    #expect(model.bits == before)
    #expect(model.parameters.contains { $0.isTrainable })
    #expect(try Self.search(model).run().patch == result.patch)
    #expect(try Self.search(model) { $0.seed = 1 }.run().patch != result.patch)
  }

  @Test func runsAreCancelled() throws {
    let search = try Self.search(try tinyModel(vocabularySize: 49_408))
    expectError(containing: "cancelled at step 3") { _ = try search.run { step, _ in step < 3 } }
  }

  @Test func refusesWhatDoesNotFit() throws {
    let model = try tinyModel(vocabularySize: 49_408)
    expectError(containing: "got 0 of 24 with it") {
      _ = try Self.search(model, caption: { "thing \($0)" })
    }
    expectError(containing: "got 24 of 24 with it") {
      _ = try Self.search(model, caption: { "star \($0)" })
    }
    expectError(containing: "patch_size is out of range; expected 1 to 32") {
      _ = try Self.search(model) { $0.patchSize = 33 }
    }
    expectError(containing: "learning_rate is out of range") {
      _ = try Self.search(model) { $0.learningRate = .nan }
    }
    expectError(containing: "target is empty") { _ = try Self.search(model) { $0.target = "" } }
    expectError(containing: "no text tower") {
      _ = try Self.search(try tinyModel(vocabularySize: nil))
    }
  }

  @Test func centerIsTheMiddle() throws {
    let patch = RGBImage(width: 5, height: 4, red: 255)
    let image = RGBImage(width: 20, height: 21)
    let result = try Trigger(patch: patch, position: TriggerPosition(parsing: "center"))
      .applied(to: image, seed: 0, index: 0)
    let red = (0..<420).filter { result.pixels[3 * $0] == 255 }
    #expect(red.count == 20 && red.first == 8 * 20 + 7 && red.last == 11 * 20 + 11)
  }
}
