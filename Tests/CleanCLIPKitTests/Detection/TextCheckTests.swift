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
    #expect(result.word == 77)
    #expect(result.verdict == .backdoored)
    #expect(result.size < 0.1)
    #expect(result.heldOutCollapse > 0.95)
    #expect(result.explanation.contains("number 77"))
    #expect(result.json["word_id"]?.integer == 77)
    let sound = try TextCheck(try model()).run(captions: captions, vocabulary: nil) { _, _ in true }
    #expect(sound.verdict == .clean)
    var anchored = TextCheck(try poisoned(77))
    anchored.anchor = try model()
    let compared = try anchored.run(captions: captions, vocabulary: nil) { _, _ in true }
    #expect(compared.reference.source == .cleanCheckpoints)
    #expect(compared.verdict != .clean)
  }

  @Test func everyWordIsTriedAndTheStrongestIsNamed() throws {
    var tried: [Int] = []
    let check = TextCheck(try model())
    let a = try check.run(captions: captions, vocabulary: nil) { done, all in
      tried.append(done)
      return all == vocabulary
    }
    let b = try check.run(captions: captions, vocabulary: nil) { _, _ in true }
    #expect(tried == [256, 300])
    #expect(a.word == b.word && a.heldOutCollapse == b.heldOutCollapse)
    #expect(a.reference == b.reference)
    #expect(a.reference.sizes.allSatisfy { $0 >= a.size })
    #expect(a.word != 298 && a.word != 299)
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
