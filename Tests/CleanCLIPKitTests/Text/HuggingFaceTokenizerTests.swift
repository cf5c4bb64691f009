import CleanCLIPKit
import Testing

/// Hugging Face's files made from OpenAI's vocabulary, as `openai/clip-vit-base-patch32` has them.
private final class HuggingFaceFiles {
  let folder = TemporaryFolder()
  let vocabulary: String
  let merges: [String]

  /// Texts that all tests share, for they take a moment to make.
  private static let texts = Result { try makeTexts() }

  init() throws {
    (vocabulary, merges) = try Self.texts.get()
  }

  private static func makeTexts() throws -> (vocabulary: String, merges: [String]) {
    let text = try CompressedFile.read(ReferenceCaption.vocabulary, limit: 1 << 24)
    let merges = String(decoding: text, as: UTF8.self).split(separator: "\n").dropFirst()
      .prefix(48894).map(String.init)
    let printable = [0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF].flatMap { $0.map { UInt32($0) } }
    let others = (0..<256 - printable.count).map { UInt32($0) + 0x100 }
    let bytes = (printable + others).compactMap { Unicode.Scalar($0).map { String($0) } }
    let symbols =
      bytes + bytes.map { $0 + "</w>" } + merges.map { $0.filter { $0 != " " } }
      + ["<|startoftext|>", "<|endoftext|>"]
    var object = JSONObject()
    for (id, symbol) in symbols.enumerated() { object[symbol] = .integer(id) }
    return (JSONValue.object(object).serialized(), merges)
  }

  func write(_ text: String, to name: String) throws {
    try AtomicFile.write(Array(text.utf8), to: folder.file(name))
  }

  /// `tokenizer.json` with some parts replaced.
  func tokenizerJSON(
    normalizer: String = #"""
    {"type": "Sequence", "normalizers": [{"type": "NFC"},
     {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Lowercase"}]}
    """#,
    words: String = #"'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"#,
    processor: String = #"""
    {"type": "RobertaProcessing", "sep": ["<|endoftext|>", 49407],
     "cls": ["<|startoftext|>", 49406], "trim_offsets": false, "add_prefix_space": false}
    """#,
    addedIsNormalized: Bool = false
  ) -> String {
    let added = [("<|startoftext|>", 49406), ("<|endoftext|>", 49407)].map { content, id in
      """
      {"id": \(id), "content": "\(content)", "single_word": false, "lstrip": false,
       "rstrip": false, "normalized": \(addedIsNormalized), "special": true}
      """
    }
    let pairs = merges.map { JSONValue.string($0) }
    return """
      {"version": "1.0", "truncation": null, "padding": null,
       "added_tokens": [\(added.joined(separator: ","))], "normalizer": \(normalizer),
       "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
         {"type": "Split", "pattern": {"Regex": "\(words)"}, "behavior": "Removed", "invert": true},
         {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}]},
       "post_processor": \(processor), "decoder": null,
       "model": {"type": "BPE", "dropout": null, "unk_token": "<|endoftext|>",
         "continuing_subword_prefix": "", "end_of_word_suffix": "</w>", "fuse_unk": false,
         "vocab": \(vocabulary), "merges": \(JSONValue.array(pairs).serialized())}}
      """
  }
}

@Suite struct HuggingFaceTokenizerTests {
  private let files: HuggingFaceFiles

  init() throws { files = try HuggingFaceFiles() }

  private func expectReferenceIDs(_ tokenizer: Tokenizer) throws {
    #expect(tokenizer.vocabularySize == 49408)
    let captions = try ReferenceCaption.all()
    let mismatches = captions.compactMap { caption in
      let ids = tokenizer.encode(caption.text, contextLength: 77)
      return ReferenceCaption.hash(ids) == caption.huggingFace
        ? nil : "\(caption.text.debugDescription): \(ids)"
    }
    #expect(
      mismatches.isEmpty,
      "\(mismatches.count) of \(captions.count): \(mismatches.prefix(30).joined(separator: "\n"))")
  }

  @Test func vocabularyAndMergesEqualHuggingFace() throws {
    try files.write(files.vocabulary, to: "vocab.json")
    try files.write(
      "#version: 0.2\n" + files.merges.joined(separator: "\n") + "\n", to: "merges.txt")
    for path in ["vocab.json", "merges.txt"].map(files.folder.file) + [files.folder.path] {
      let tokenizer = try Tokenizer.load(path: path)
      #expect(tokenizer.encode("a cat", contextLength: 77) == [49406, 320, 2368, 49407])
    }
    try expectReferenceIDs(try Tokenizer.load(path: files.folder.path))
  }

  @Test func tokenizerJSONEqualsHuggingFace() throws {
    try files.write(files.tokenizerJSON(), to: "tokenizer.json")
    try expectReferenceIDs(try Tokenizer.load(path: files.folder.file("tokenizer.json")))
  }

  @Test func leavesCharactersNewerThanHuggingFaceKnows() throws {
    try files.write(files.tokenizerJSON(), to: "tokenizer.json")
    let tokenizer = try Tokenizer.load(path: files.folder.file("tokenizer.json"))
    // A vowel of Unicode 13 with a canonical decomposition; ids of tokenizers 0.23.
    #expect(
      tokenizer.encode("\u{11938}", contextLength: 77)
        == [49406, 172, 239, 97, 372, 49407])
  }

  @Test func findsTokenizerBesideModel() throws {
    try files.write(files.tokenizerJSON(), to: "tokenizer.json")
    let tokenizer = try Tokenizer.find(besideModel: files.folder.file("model.onnx"))
    #expect(tokenizer.encode("&amp;", contextLength: 77).count == 5)
  }

  @Test func readsTemplateProcessing() throws {
    let processor = """
      {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|startoftext|>",
       "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken":
       {"id": "<|endoftext|>", "type_id": 0}}], "pair": [], "special_tokens":
       {"<|startoftext|>": {"id": "<|startoftext|>", "ids": [49406], "tokens": []},
       "<|endoftext|>": {"id": "<|endoftext|>", "ids": [49407], "tokens": []}}}
      """
    try files.write(
      files.tokenizerJSON(processor: processor, addedIsNormalized: true), to: "tokenizer.json")
    let tokenizer = try Tokenizer.load(path: files.folder.file("tokenizer.json"))
    #expect(
      tokenizer.encode("A cat<|ENDOFTEXT|>!", contextLength: 77)
        == [49406, 320, 2368, 49407, 256, 49407])
  }

  @Test(arguments: [
    (#"{"type": "BertNormalizer"}"#, "normaliser is not CLIP's"),
    (#"{"type": "NFKC"}"#, "got {\"type\":\"NFKC\"}"),
  ])
  func refusesOtherNormalizers(_ normalizer: String, _ message: String) throws {
    try files.write(files.tokenizerJSON(normalizer: normalizer), to: "tokenizer.json")
    expectError(containing: message) {
      _ = try Tokenizer.load(path: files.folder.file("tokenizer.json"))
    }
  }

  @Test func refusesOtherDivisionIntoWords() throws {
    try files.write(files.tokenizerJSON(words: #"\\w+"#), to: "tokenizer.json")
    expectError(containing: "division into words is not CLIP's") {
      _ = try Tokenizer.load(path: files.folder.file("tokenizer.json"))
    }
  }

  @Test(arguments: [
    (#"{"model": {"type": "Unigram"}}"#, "type BPE, got \"Unigram\""),
    (#"{"model": {"type": "BPE"}}"#, "no vocabulary"),
    (#"{"a": 1}"#, "expected merges.txt in the same folder"),
    (#"{"a": "#, "is not JSON"),
    ("{", "is not JSON"),
    ("", "no merges"),
    ("title\na b c\n", "line 2 is no merge; expected two symbols, got 3"),
    ("title\na b\nab zz\n", "line 3 merges 'ab zz'"),
    ("title\na b\na b\n", "expected a symbol that no earlier line makes"),
  ])
  func refusesBrokenVocabularies(_ text: String, _ message: String) throws {
    try files.write(text, to: "some-file")
    expectError(containing: message) {
      _ = try Tokenizer.load(path: files.folder.file("some-file"))
    }
  }

  @Test(arguments: [
    ("{\"a\": -1, \"<|startoftext|>\": 1, \"<|endoftext|>\": 2}", "a b\n", "'a' has no token id"),
    ("{\"a\": 1e300, \"<|startoftext|>\": 1, \"<|endoftext|>\": 2}", "a b\n", "has no token id"),
    ("{\"a\": 0}", "a b\n", "no start or end of text"),
    ("{\"a\": 0, \"<|startoftext|>\": 1, \"<|endoftext|>\": 2}", "a b\n", "merge 1 is 'a b'"),
    ("{\"a\": 0, \"<|startoftext|>\": 1, \"<|endoftext|>\": 2}", "a\n", "merge 1 is 'a'"),
  ])
  func refusesBrokenVocabularyAndMerges(
    _ vocabulary: String, _ merges: String, _ message: String
  ) throws {
    try files.write(vocabulary, to: "vocab.json")
    try files.write(merges, to: "merges.txt")
    expectError(containing: message) { _ = try Tokenizer.load(path: files.folder.path) }
  }

  @Test func reportsMissingFiles() throws {
    expectError(containing: "no such file") {
      _ = try Tokenizer.load(path: files.folder.file("absent.txt"))
    }
    expectError(containing: "no tokenizer in this folder") {
      _ = try Tokenizer.load(path: files.folder.path)
    }
    try files.write("a b\n", to: "merges.txt")
    expectError(containing: "expected vocab.json in the same folder") {
      _ = try Tokenizer.load(path: files.folder.file("merges.txt"))
    }
  }
}
