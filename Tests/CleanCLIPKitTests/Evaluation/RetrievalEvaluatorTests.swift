import CleanCLIPKit
import Testing

@Suite struct RetrievalEvaluatorTests {
  private static func image(_ seed: UInt64) -> RGBImage {
    var random = RandomNumbers(seed: seed)
    return RGBImage(
      width: 40, height: 40,
      pixels: (0..<4800).map { _ in UInt8(random.integer(below: 256)) })
  }

  @Test func refusesOptionsAndModelsThatDoNotFit() throws {
    let tokenizer = try Tokenizer.load(path: ReferenceCaption.vocabulary)
    for size in [0, -1, 65_537] {
      var encoder = FeatureEncoder(try tinyModel())
      encoder.batchSize = size
      expectError(containing: "batch_size is out of range; expected 1 to 65536, got \(size)") {
        _ = try RetrievalEvaluator(encoder, tokenizer: tokenizer)
      }
    }
    #expect(throws: CLIPError.self) {
      try RetrievalEvaluator(
        FeatureEncoder(try tinyModel(vocabularySize: nil)), tokenizer: tokenizer)
    }
  }

  @Test func rowsOfOneKeyAreCaptionsOfOneImage() throws {
    var encoder = FeatureEncoder(try tinyModel(vocabularySize: 49_408))
    encoder.batchSize = 4
    let evaluator = try RetrievalEvaluator(
      encoder, tokenizer: try Tokenizer.load(path: ReferenceCaption.vocabulary))
    let dataset = try PairDataset(count: 9) { (index) throws(CLIPError) in
      guard index != 4 else { throw CLIPError(.io, "row 4: cannot be read") }
      return CaptionedImage(
        key: "\(index / 3)", image: .pixels(Self.image(UInt64(index / 3))),
        caption: index == 8 ? "" : String(repeating: "a", count: index + 1))
    }
    let result = try evaluator.evaluate(dataset)
    #expect(result.images == 3 && result.captions == 7 && result.skipped == 2)
    #expect(result.skippedReasons.last == "'2': has no caption; expected text, got none")
    #expect(result.recall.textToImage.map(\.place) == [1, 3])
    #expect(result.recall.textToImage.last?.rate == Proportion(7, of: 7))
    #expect(result.json["image_to_text"]?["recall_at_5"]?.double != nil)
    expectError(containing: "cancelled after 4 of 9 rows") {
      _ = try evaluator.evaluate(dataset) { _ in false }
    }
  }
}
