import CleanCLIPKit
import Testing

@Suite struct TokenizerTests {
  let tokenizer: Tokenizer

  init() throws {
    tokenizer = try Tokenizer.load(path: ReferenceCaption.vocabulary)
  }

  @Test func knowsVocabularySize() {
    #expect(tokenizer.vocabularySize == 49408)
    #expect(tokenizer.startOfText == 49406)
    #expect(tokenizer.endOfText == 49407)
  }

  @Test func encodesSimpleCaption() {
    #expect(
      tokenizer.encode("a photo of a cat", contextLength: 77)
        == [49406, 320, 1125, 539, 320, 2368, 49407])
  }

  @Test func encodesEmptyCaptionAsStartAndEnd() {
    #expect(tokenizer.encode("", contextLength: 77) == [49406, 49407])
    #expect(tokenizer.encode(" \n\t", contextLength: 77) == [49406, 49407])
  }

  @Test func keepsEndOfTextOfLongCaptions() {
    let caption = String(repeating: "cat ", count: 100)
    let ids = tokenizer.encode(caption, contextLength: 77)
    #expect(ids.count == 77)
    #expect(ids.first == 49406)
    #expect(ids.last == 49407)
    #expect(ids[75] == 2368)
    #expect(tokenizer.encode(caption, contextLength: 2) == [49406, 49407])
    #expect(tokenizer.encode(caption, contextLength: 1) == [49407])
    #expect(tokenizer.encode(caption, contextLength: 0) == [49407])
  }

  @Test func fitsCaptionOfExactlyTheContext() {
    let caption = String(repeating: "cat ", count: 75)
    #expect(tokenizer.encode(caption, contextLength: 77).filter { $0 == 2368 }.count == 75)
  }

  @Test func equalsOpenAIOnReferenceCaptions() throws {
    let captions = try ReferenceCaption.all()
    #expect(captions.count >= 10_000)
    var mismatches: [String] = []
    for caption in captions {
      let ids = tokenizer.encode(caption.text, contextLength: 77)
      if ReferenceCaption.hash(ids) != caption.openAI {
        mismatches.append("\(caption.text.debugDescription): \(ids)")
      }
    }
    #expect(mismatches.isEmpty, "\(mismatches.count) of \(captions.count): \(mismatches.prefix(40).joined(separator: "\n"))")
  }

  @Test func readsOneHugeWordInReasonableTime() {
    let caption = String(repeating: "abcdefghij", count: 100_000)
    #expect(tokenizer.encode(caption, contextLength: 77).count == 77)
  }

  @Test func resolvesNestedReferencesWithoutQuadraticTime() {
    let caption = String(repeating: "&amp;amp;amp;amp;", count: 60_000)
    #expect(tokenizer.encode(caption, contextLength: 77).count >= 2)
    let nested = "&" + String(repeating: "amp;", count: 200_000)
    #expect(tokenizer.encode(nested, contextLength: 77).count >= 2)
  }
}
