/// CLIP's byte-level byte-pair tokenizer.
///
/// Ids equal those of the library that the vocabulary file comes from: OpenAI's and OpenCLIP's
/// tokenizer for `bpe_simple_vocab_16e6.txt`, Hugging Face's fast one for its own files. Only ftfy's
/// repair of mojibake is left out. One tokenizer may be used by several threads.
package final class Tokenizer: Sendable {
  private let definition: TokenizerDefinition
  private let splitter: WordSplitter
  private let cache = Locked<[[UInt8]: [Int32]]>([:])

  /// Words that the cache holds at most; captions of a dataset repeat fewer.
  private static let cacheLimit = 1 << 17

  init(_ definition: TokenizerDefinition) {
    self.definition = definition
    switch definition.cleaning {
    case .openAI:
      self.splitter = WordSplitter(
        ignoresCase: true, specials: definition.addedTokens.map(\.bytes))
    case .huggingFace:
      self.splitter = WordSplitter(ignoresCase: false, specials: [])
    }
  }

  /// The id that every caption begins with.
  package var startOfText: Int32 { definition.startOfText }
  /// The id that every caption ends with.
  package var endOfText: Int32 { definition.endOfText }
  /// One more than the highest id.
  package var vocabularySize: Int { definition.vocabularySize }

  /// Returns the ids of a caption, from start to end of text, without padding.
  ///
  /// A caption that is too long is cut, and the end of text stands in the last position.
  /// - Parameter contextLength: the most ids, at least 1.
  package func encode(_ text: String, contextLength: Int) -> [Int32] {
    var ids = [startOfText]
    // One id more than fits tells that the caption has to be cut.
    let limit = max(1, contextLength)
    for part in parts(of: text) where ids.count < limit {
      switch part {
      case .token(let id): ids.append(id)
      case .text(let bytes): encodeWords(of: bytes, into: &ids, limit: limit)
      }
    }
    if ids.count >= limit { ids.removeSubrange((limit - 1)...) }
    ids.append(endOfText)
    return ids
  }

  /// The text of a token; empty for ids that are none, such as start and end.
  package func text(of id: Int32) -> String {
    text(of: [id])
  }

  /// The text of tokens that follow each other, such as the bytes of a character, with blanks between words.
  package func text(of ids: [Int32]) -> String {
    var bytes: [UInt8] = []
    for (number, id) in ids.enumerated() {
      bytes += definition.encoder.bytes(of: id)
      if number + 1 < ids.count, definition.encoder.endsWord(id) { bytes.append(UInt8(ascii: " ")) }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A stretch of a caption: cleaned text, or a token that stands for itself.
  private enum Part {
    case text([UInt8])
    case token(Int32)
  }

  private func parts(of text: String) -> [Part] {
    switch definition.cleaning {
    case .openAI:
      return [.text(CaptionCleaning.openAI(text))]
    case .huggingFace(let composes, let lowers):
      var parts: [Part] = []
      for raw in divide(Array(text.utf8), at: definition.addedTokens.filter { !$0.isNormalized }) {
        guard case .text(let bytes) = raw else {
          parts.append(raw)
          continue
        }
        let cleaned = CaptionCleaning.huggingFace(bytes, composes: composes, lowers: lowers)
        parts += divide(cleaned, at: definition.addedTokens.filter(\.isNormalized))
      }
      return parts
    }
  }

  /// Divides text at added tokens: the leftmost, of several at one place the longest.
  private func divide(
    _ text: [UInt8], at tokens: [TokenizerDefinition.AddedToken]
  ) -> [Part] {
    let tokens = tokens.filter { !$0.bytes.isEmpty }
    guard !tokens.isEmpty else { return [.text(text)] }
    let firstBytes = Set(tokens.map { $0.bytes[0] })
    var parts: [Part] = []
    var start = 0
    var i = 0
    while i < text.count {
      let match =
        firstBytes.contains(text[i])
        ? tokens.filter { text[i...].starts(with: $0.bytes) }.max {
          $0.bytes.count < $1.bytes.count
        }
        : nil
      guard let match else {
        i += 1
        continue
      }
      if start < i { parts.append(.text(Array(text[start..<i]))) }
      parts.append(.token(match.id))
      i += match.bytes.count
      start = i
    }
    if start < text.count { parts.append(.text(Array(text[start...]))) }
    return parts
  }

  /// Appends the ids of each word until there are `limit`.
  private func encodeWords(of text: [UInt8], into ids: inout [Int32], limit: Int) {
    text.withUnsafeBufferPointer { text in
      splitter.forEachWord(in: text) { range in
        ids += encodeWord(UnsafeBufferPointer(rebasing: text[range]))
        return ids.count < limit
      }
    }
  }

  private func encodeWord(_ word: UnsafeBufferPointer<UInt8>) -> [Int32] {
    let key = Array(word)
    if let ids = cache.withLock({ $0[key] }) { return ids }
    let special =
      splitter.specials.isEmpty
      ? nil : definition.addedTokens.first { $0.bytes.elementsEqual(word) }
    let ids = special.map { [$0.id] } ?? definition.encoder.encode(word)
    // Long words are rare, and would fill the cache of a process that reads hostile captions.
    if word.count <= 64 {
      cache.withLock { cache in
        if cache.count < Self.cacheLimit { cache[key] = ids }
      }
    }
    return ids
  }
}
