import CleanCLIPKit
import Testing

@Suite struct EvaluatorTests {
  private static let classes = ["red", "green", "blue"]

  /// Thirty noise images, whose labels go round.
  private static func dataset() throws -> PairDataset {
    try PairDataset(
      (0..<30).map { index in
        var random = RandomNumbers(seed: UInt64(index))
        let pixels = (0..<3 * 32 * 32).map { _ in UInt8(random.integer(below: 256)) }
        return CaptionedImage(
          key: "\(index)", image: .pixels(RGBImage(width: 32, height: 32, pixels: pixels)),
          caption: "", label: .index(Int32(index % 3)))
      })
  }

  private static func evaluate(target: String) throws -> EvaluationResult {
    var options = EvaluationOptions()
    // It covers all of the image but a row: every triggered image is of one class.
    options.trigger = Trigger(
      patch: RGBImage(width: 32, height: 31, red: 250, green: 30), position: .center)
    options.target = target
    options.batchSize = 7
    return try Evaluator(
      model: try tinyModel(vocabularySize: 49_408),
      tokenizer: try Tokenizer.load(path: ReferenceCaption.vocabulary), classes: classes,
      templates: ["a {}"], options: options
    ).evaluate(try dataset())
  }

  @Test func triggeredImagesCountForTheTargetOrForTheirClass() throws {
    var predicted: [String] = []
    for target in Self.classes {
      let result = try Self.evaluate(target: target)
      #expect(result.attackedImages == 20)
      let success = try #require(result.attackSuccessRate.first?.rate)
      let accuracy = try #require(result.triggeredAccuracy)
      if success.value == 1 {
        predicted.append(target)
        #expect(accuracy == Proportion(0, of: 20))
      } else {
        // Ten of the twenty images of the two other classes are of the predicted one.
        #expect(success == Proportion(0, of: 20) && accuracy == Proportion(10, of: 20))
      }
      #expect(result.json["triggered_accuracy"]?.double == accuracy.value)
      let read = try EvaluationResult(json: result.json, name: "result")
      #expect(read.triggeredAccuracy == accuracy)
    }
    #expect(predicted.count == 1)
  }

  @Test func withoutATriggerThereIsNone() throws {
    let result = try Evaluator(
      model: try tinyModel(vocabularySize: 49_408),
      tokenizer: try Tokenizer.load(path: ReferenceCaption.vocabulary), classes: Self.classes,
      templates: ["a {}"]
    ).evaluate(try Self.dataset())
    #expect(result.triggeredAccuracy == nil && result.json["triggered_accuracy"] == nil)
  }
}
