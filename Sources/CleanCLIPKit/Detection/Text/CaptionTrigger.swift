/// What may be put into captions as a trigger.
package struct CaptionTrigger: Equatable, Sendable {
  /// Searches, each with a reference of its own.
  package enum Kind: String, Sendable {
    /// A word of the vocabulary.
    case word
    /// A character that the vocabulary has no word for: inside a word, as one that looks like a letter, or alone.
    case character
    /// Two words, the strongest ones in pairs.
    case words

    /// Of its p-value among those of all kinds: strong words in pairs are much alike in clean towers too.
    package var weight: Double { self == .words ? 1 : 3 }
  }

  package let kind: Kind
  /// Ids of the vocabulary.
  package let ids: [Int32]

  /// Every word of a vocabulary.
  static func words(_ count: Int32, except excluded: Set<Int32>) -> [CaptionTrigger] {
    (0..<count).filter { !excluded.contains($0) }.map { CaptionTrigger(kind: .word, ids: [$0]) }
  }

  /// The characters of many scripts that a tokenizer makes several ids of.
  ///
  /// Attacks take letters that look like Latin ones (Struppek et al. 2023, arXiv:2211.02408), and symbols.
  package static func characters(_ tokenizer: Tokenizer) -> [CaptionTrigger] {
    var seen: Set<[Int32]> = []
    var found: [CaptionTrigger] = []
    func add(_ ids: some Collection<Int32>) {
      guard ids.count > 1, ids.count <= longestCharacter, seen.insert(Array(ids)).inserted else {
        return
      }
      found.append(CaptionTrigger(kind: .character, ids: Array(ids)))
    }
    func ids(_ text: String) -> ArraySlice<Int32> {
      tokenizer.encode(text, contextLength: longestCharacter + 4).dropFirst().dropLast()
    }
    let letter = ids(String(follower))
    for scalar in scripts.joined().compactMap(Unicode.Scalar.init) {
      let inside = ids(String(scalar) + String(follower))
      if inside.ends(with: letter) { add(inside.dropLast(letter.count)) }
      add(ids(String(scalar)))
    }
    return found
  }

  /// Pairs of triggers, in both orders.
  static func pairs(of triggers: some Collection<CaptionTrigger>) -> [CaptionTrigger] {
    triggers.flatMap { first in
      triggers.filter { $0 != first }.map {
        CaptionTrigger(kind: .words, ids: first.ids + $0.ids)
      }
    }
  }

  private static let longestCharacter = 6
  /// A letter that seldom joins the one before it, so that the ids before its own are a character inside a word.
  private static let follower: Character = "x"
  /// Letters from Latin-1 to Cyrillic, Armenian, Hebrew, Arabic, scripts of India, Thai, Lao, Georgian, Cherokee,
  /// extended Latin and Greek, punctuation, letterlike symbols, kana, full width, mathematical letters, emoji.
  private static let scripts: [ClosedRange<UInt32>] = [
    0xA1...0x52F, 0x531...0x58F, 0x5D0...0x5EA, 0x620...0x64A, 0x900...0xDFF, 0xE00...0xEFF,
    0x10A0...0x10FF, 0x13A0...0x13FF, 0x1E00...0x1FFF, 0x2000...0x206F, 0x2100...0x214F,
    0x3040...0x30FF, 0xFF01...0xFF5E, 0x1D400...0x1D7FF, 0x1F300...0x1F64F,
  ]
}

extension Collection<Int32> {
  fileprivate func ends(with end: some Collection<Int32>) -> Bool {
    count > end.count && suffix(end.count).elementsEqual(end)
  }
}
