import CleanCLIPKit
import Testing

/// Words that are unlearned in the text tower.
@Suite struct TextUnlearningTests {
  let folder = TemporaryFolder()

  /// A vocabulary of letters, enough for captions of the tower's 16 tokens.
  private func tokenizer() throws -> Tokenizer {
    let path = folder.file("bpe.txt")
    try AtomicFile.write("#version: 0.2\nr e\nre d</w>\nb l\no x</w>\n", to: path)
    return try Tokenizer.load(path: path)
  }

  private func run(_ model: CLIPModel, text: Bool = true) throws -> SanitizeHistory {
    var options = try UnlearnRunTests.options()
    options.unlearn.text = text
    options.unlearn.steps = 20
    options.training.batchSize = 16
    let sanitizer = try Sanitizer(
      model, tokenizer: try tokenizer(), dataset: try UnlearnRunTests.dataset(64, side: 32),
      options: options)
    try sanitizer.run()
    return sanitizer.history
  }

  private func weights(_ model: CLIPModel, ofImages: Bool) -> [[Float]] {
    model.stateDict().filter { $0.name.hasPrefix("visual.") == ofImages }.map { $0.tensor.floats() }
  }

  private func model() throws -> CLIPModel {
    try tinyModel(vocabularySize: try tokenizer().vocabularySize)
  }

  /// The planted word takes all of the attention, whose gradient is 0 then: what cannot be unlearned is said.
  @Test func aWordThatStaysIsNoRemoval() throws {
    let model = try plantedWord(77, in: try model())
    let images = weights(model, ofImages: true)
    let texts = weights(model, ofImages: false)
    let history = try run(model)
    let outcome = try #require(history.outcome["text"])
    let words = try #require(outcome["words"]?.array)
    #expect(words.map { $0["word_id"]?.integer } == [77])
    #expect(try #require(words[0]["size_before"]?.double) < 0.1)
    #expect(try #require(words[0]["size_after"]?.double) < 0.5)
    #expect(["weakened", "not_removed"].contains(outcome["verdict"]?.string))
    #expect(history.verdict?.rawValue == outcome["verdict"]?.string)
    #expect(history.conclusion.contains { $0.hasPrefix("text tower: the word") })
    // The image tower has no trigger: it stays, but for a precaution that is said, and that it was taken back.
    let isCautious = history.outcome["precautions"] != nil && history.outcome["taken_back"] == nil
    #expect((weights(model, ofImages: true) == images) == !isCautious)
    #expect(weights(model, ofImages: false) != texts)
  }

  @Test func aSoundTowerIsNotTouched() throws {
    let model = try model()
    let before = weights(model, ofImages: false)
    let history = try run(model)
    #expect(history.outcome["text"]?["words"]?.array?.isEmpty == true)
    #expect(history.verdict == .nothingFound)
    #expect(weights(model, ofImages: false) == before)
    #expect(try run(model, text: false).outcome["text"] == nil)
  }

  @Test func wordsNeedATokenizer() throws {
    var options = try UnlearnRunTests.options()
    options.unlearn.text = true
    let given = options
    expectError(containing: "words in captions need a text tower and its tokenizer") {
      _ = try Sanitizer(
        try model(), tokenizer: nil, dataset: try UnlearnRunTests.dataset(64, side: 32),
        options: given)
    }
  }
}
