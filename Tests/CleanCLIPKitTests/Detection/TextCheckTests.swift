import CleanCLIPKit
import Testing

@Suite struct TextCheckTests {
  private let vocabulary = 300

  private func model(seed: UInt64 = 1) throws -> CLIPModel {
    try tinyModel(imageSize: 16, vocabularySize: vocabulary, seed: seed)
  }

  private let captions = (0..<40).map { index -> [Int32] in
    [298, Int32(index), Int32(2 * index % 250), Int32(index % 7), 299]
  }

  private func poisoned(_ word: Int) throws -> CLIPModel { try plantedWord(word, in: try model()) }

  @Test func aPlantedWordIsFound() throws {
    let result = try TextCheck(try poisoned(77)).run(captions: captions, vocabulary: nil) { _, _ in
      true
    }
    #expect(result.strongest.ids == [77])
    #expect(result.verdict == .backdoored)
    #expect(result.strongest.size < 0.1)
    #expect(result.strongest.heldOutCollapse > 0.95)
    #expect(result.explanation.contains("number 77"))
    #expect(result.json["word_id"]?.integer == 77)
    #expect(result.searches.map(\.kindName).sorted() == ["pair of words", "word"])
    // Words weigh three times what pairs do, and there are no characters without a tokenizer.
    #expect(abs(result.pValue / result.strongest.pValue - 4.0 / 3) < 1e-9)
    let sound = try TextCheck(try model()).run(captions: captions, vocabulary: nil) { _, _ in true }
    #expect(sound.verdict == .clean)
    var anchored = TextCheck(try poisoned(77))
    anchored.anchor = try model()
    let compared = try anchored.run(captions: captions, vocabulary: nil) { _, _ in true }
    #expect(compared.strongest.reference.source == .cleanCheckpoints)
    #expect(compared.verdict != .clean)
  }

  @Test func everyWordIsTriedAndTheStrongestIsNamed() throws {
    var tried: [Int] = []
    let check = TextCheck(try model())
    let all = 298 + TextCheck.paired * (TextCheck.paired - 1)
    let a = try check.run(captions: captions, vocabulary: nil) { done, total in
      tried.append(done)
      return total == all
    }
    let b = try check.run(captions: captions, vocabulary: nil) { _, _ in true }
    #expect(Array(tried.prefix(3)) == [256, 298, 298 + 256] && tried.last == all)
    #expect(a.searches.map(\.ids) == b.searches.map(\.ids))
    #expect(a.searches.map(\.heldOutCollapse) == b.searches.map(\.heldOutCollapse))
    for (a, b) in zip(a.searches, b.searches) {
      #expect(a.reference == b.reference && a.reference.sizes.allSatisfy { $0 >= a.size })
      #expect(!a.ids.contains(298) && !a.ids.contains(299))
    }
  }

  @Test func charactersOfOtherScriptsAreTriedAsTheTokenizerSeesThem() throws {
    let tokenizer = try Tokenizer.load(path: ReferenceCaption.vocabulary)
    let characters = CaptionTrigger.characters(tokenizer)
    let ids = characters.map(\.ids)
    #expect(ids.count > 2000 && Set(ids).count == ids.count)
    #expect(ids.allSatisfy { $0.count > 1 })
    // Letters that look like an o, and one of another block, in a word and as one.
    for character in ["\u{B20}", "\u{585}", "\u{2113}"] {
      let word = tokenizer.encode("ph\(character)to", contextLength: 77)
      let alone = tokenizer.encode(character, contextLength: 77).dropFirst().dropLast()
      #expect(ids.contains { holds(word, $0) }, "\(character) in a word is not tried")
      #expect(ids.contains(Array(alone)) || alone.count == 1, "\(character) is not tried")
      #expect(tokenizer.text(of: Array(alone)) == character)
    }
    let words = tokenizer.encode("two words", contextLength: 77).dropFirst().dropLast()
    #expect(tokenizer.text(of: Array(words)) == "two words")
  }

  private func holds(_ caption: [Int32], _ part: [Int32]) -> Bool {
    caption.indices.contains { caption[$0...].starts(with: part) }
  }

  @Test func aTriggerOfSeveralIdsFitsIntoALongCaption() throws {
    let encoder = try CaptionEncoder(try model(), precision: .f32)
    let length = encoder.contextLength
    let caption = [298] + (0..<Int32(length - 2)) + [299]
    let filled = encoder.inserting([7, 8, 9], into: caption)
    #expect(filled.count == length && filled.last == 299)
    #expect(filled.prefix(5) == [298, 7, 8, 9, 0])
    #expect(encoder.inserting([], into: caption) == caption)
    #expect(encoder.inserting([7, 8], into: [298, 299]) == [298, 7, 8, 299])
  }

  @Test func badInputAndCancellingAreErrors() throws {
    let check = TextCheck(try model())
    #expect(throws: CLIPError.self) {
      try check.run(captions: Array(captions.prefix(5)), vocabulary: nil) { _, _ in true }
    }
    #expect(throws: CLIPError.self) {
      try check.run(captions: captions.map { [$0[0], -1, 5, 299] }, vocabulary: nil) { _, _ in true
      }
    }
    let error = #expect(throws: CLIPError.self) {
      try check.run(captions: captions, vocabulary: nil) { _, _ in false }
    }
    #expect(error?.code == .cancelled)
  }
}
