import CleanCLIPKit
import Glibc
import Synchronization
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

  @Test func tokensAreReadBack() {
    #expect(tokenizer.text(of: 2368) == "cat")
    #expect(tokenizer.text(of: 1125) == "photo")
    #expect(tokenizer.text(of: 49406).isEmpty && tokenizer.text(of: -5).isEmpty)
  }

  @Test(
    arguments: [
      ("/usr/bin/cleanclip", "/usr/share/cleanclip"),
      ("/opt/clip/lib/libcleanclip.so.0.1.0", "/opt/clip/share/cleanclip"),
      ("/opt/clip/lib64/libcleanclip.so.0.1.0", "/opt/clip/share/cleanclip"),
      ("/usr/lib/x86_64-linux-gnu/libcleanclip.so.0.1.0", "/usr/share/cleanclip"),
      ("/srv/app/cleanclip/lib/libcleanclip.so", "/srv/app/cleanclip/share/cleanclip"),
      ("/bin/cleanclip", "/share/cleanclip"),
      ("/srv/x86_64-linux-gnu/libcleanclip.so", nil),
      ("/srv/app/libcleanclip.so", nil),
      ("/libcleanclip.so", nil),
    ] as [(String, String?)])
  func vocabularyBelongsToAnInstallation(image: String, folder: String?) {
    #expect(Tokenizer.sharedFolder(ofImage: image) == folder)
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
    #expect(
      mismatches.isEmpty,
      "\(mismatches.count) of \(captions.count): \(mismatches.prefix(40).joined(separator: "\n"))")
  }

  @Test func refusesDamagedVocabularyFiles() throws {
    let folder = TemporaryFolder()
    let path = folder.file("vocabulary.gz")
    let whole = try FileContents.read(ReferenceCaption.vocabulary)
    try AtomicFile.write(Array(whole[..<(whole.count / 2)]), to: path)
    expectError(containing: "cannot be read") { _ = try Tokenizer.load(path: path) }
    var damaged = whole
    for i in 5000..<5100 { damaged[i] ^= 0x5A }
    try AtomicFile.write(damaged, to: path)
    expectError(containing: "vocabulary.gz'") { _ = try Tokenizer.load(path: path) }
    expectError(containing: "too large; expected at most 1000 bytes") {
      _ = try CompressedFile.read(ReferenceCaption.vocabulary, limit: 1000)
    }
  }

  @Test func readsPlainVocabularyFile() throws {
    let folder = TemporaryFolder()
    try AtomicFile.write(
      try CompressedFile.read(ReferenceCaption.vocabulary, limit: 1 << 24),
      to: folder.file("bpe_simple_vocab_16e6.txt"))
    let plain = try Tokenizer.load(path: folder.path)
    #expect(plain.encode("a cat", contextLength: 9) == tokenizer.encode("a cat", contextLength: 9))
  }

  @Test func encodesFromSeveralThreads() throws {
    let captions = try ReferenceCaption.all()
    let mismatches = Mutex(0)
    let fresh = try Tokenizer.load(path: ReferenceCaption.vocabulary)
    inThreads(4) {
      for caption in captions.prefix(3000) {
        let ids = fresh.encode(caption.text, contextLength: 77)
        if ReferenceCaption.hash(ids) != caption.openAI { mismatches.withLock { $0 += 1 } }
      }
    }
    #expect(mismatches.withLock { $0 } == 0)
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

/// Runs `body` in several threads at once and waits for them.
private func inThreads(_ count: Int, _ body: @escaping @Sendable () -> Void) {
  final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
  let threads = (0..<count).map { _ in
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(Body(body)).toOpaque()
    pthread_create(
      &thread, nil,
      { argument in
        argument.map { Unmanaged<Body>.fromOpaque($0).takeRetainedValue().run() }
        return nil
      }, argument)
    return thread
  }
  for thread in threads { pthread_join(thread, nil) }
}
