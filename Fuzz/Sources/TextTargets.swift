internal import CCleanCLIP
internal import CleanCLIPKit

extension FuzzTarget {
  /// OpenAI's vocabulary file, plain or compressed.
  static let vocabulary = FuzzTarget(name: "vocabulary") { bytes in
    useTokenizer(Scratch.write(bytes, to: "vocabulary.txt"))
  }

  /// `tokenizer.json`; or, on both sides of a record separator, `vocab.json` and `merges.txt`.
  static let tokenizer = FuzzTarget(name: "tokenizer") { bytes in
    guard let separator = bytes.firstIndex(of: 0x1E) else {
      useTokenizer(Scratch.write(bytes, to: "tokenizer.json"))
      return
    }
    _ = Scratch.write(bytes[(separator + 1)...], to: "merges.txt")
    useTokenizer(Scratch.write(bytes[..<separator], to: "vocab.json"))
  }

  /// Captions: cleaning, splitting, encoding, augmentation.
  static let caption = FuzzTarget(name: "caption") { bytes in
    let text = String(decoding: bytes, as: UTF8.self)
    let ids = captionTokenizer.encode(text, contextLength: 16)
    guard (2...16).contains(ids.count),
      ids.allSatisfy({ $0 >= 0 && $0 < captionTokenizer.vocabularySize })
    else { stop("caption has ids \(ids)") }
    var generator = RandomNumbers(seed: 1)
    _ = TextAugmenter(synonyms: nil).augment(text, using: &generator)
  }

  private static let captionTokenizer: Tokenizer = {
    let vocabulary = "#version: 0.2\nr e\nre d</w>\nb l\no x</w>\n"
    do throws(CLIPError) {
      return try Tokenizer.load(path: Scratch.write(vocabulary.utf8, to: "caption.txt"))
    } catch {
      stop(error.message)
    }
  }()
}

private func useTokenizer(_ path: String) {
  var tokenizer: OpaquePointer?
  guard succeeded(cleanclip_tokenizer_load(path, &tokenizer)) else { return }
  defer { cleanclip_tokenizer_free(tokenizer) }
  let count = cleanclip_tokenizer_vocab_size(tokenizer)
  for text in ["a red box", "<|startoftext|> I'm 42 \u{1F600} \u{3042}!!", ""] {
    var ids = [Int32](repeating: -1, count: 8)
    let status = text.withCString { text in
      var texts: [UnsafePointer<CChar>?] = [text]
      return cleanclip_tokenizer_encode(tokenizer, &texts, 1, 8, &ids, ids.count)
    }
    guard succeeded(status) else { continue }
    if !ids.allSatisfy({ $0 >= 0 && Int64($0) < count }) { stop("ids \(ids) of \(count)") }
  }
}
