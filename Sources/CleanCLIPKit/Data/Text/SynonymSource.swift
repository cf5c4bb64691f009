internal import Glibc

/// English synonyms from the files of WordNet 3 (Debian's package `wordnet-base`).
///
/// The files are searched where they are in memory, not parsed. Inflected words are looked up by their base form,
/// as WordNet's Morphy does.
package final class SynonymSource: Sendable {
  /// Where Debian installs WordNet.
  package static let installedFolder = "/usr/share/wordnet"

  private let parts: [PartOfSpeech]
  private let cache = Locked<[String: [String]]>([:])
  private static let cacheLimit = 1 << 16

  /// Opens the files `index.noun`, `data.noun`, `noun.exc` and those of `verb`, `adj` and `adv`.
  ///
  /// - Throws: `notFound` or `io` when one is missing.
  package init(folder: String = SynonymSource.installedFolder) throws(CLIPError) {
    var parts: [PartOfSpeech] = []
    for (name, endings) in Self.endings {
      parts.append(
        PartOfSpeech(
          index: try FileContents("\(folder)/index.\(name)"),
          data: try FileContents("\(folder)/data.\(name)"),
          exceptions: try FileContents("\(folder)/\(name).exc"), endings: endings))
    }
    self.parts = parts
  }

  /// Returns the installed synonyms; `nil` when the package is not installed.
  package static func installed() -> SynonymSource? {
    let folder = getenv("CLEANCLIP_WORDNET").map { String(cString: $0) } ?? installedFolder
    return try? SynonymSource(folder: folder)
  }

  /// Returns all other words and phrases of the sets that a word belongs to, in the letters a–z and
  /// spaces, sorted.
  package func synonyms(of word: String) -> [String] {
    if let known = cache.withLock({ $0[word] }) { return known }
    var synonyms: Set<String> = []
    let key = Array(word.utf8)
    if !key.isEmpty, key.allSatisfy({ (0x61...0x7A).contains($0) }) {
      for part in parts {
        for form in part.baseForms(of: key) { part.addMembers(of: form, to: &synonyms) }
      }
    }
    synonyms.remove(word)
    synonyms.remove("")
    let result = synonyms.sorted()
    cache.withLock { cache in
      if cache.count < Self.cacheLimit { cache[word] = result }
    }
    return result
  }

  /// Inflected endings and what the base form has instead (WordNet's manual page `morphy(7)`).
  private static let endings: [(name: String, endings: [(String, String)])] = [
    (
      "noun",
      [
        ("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"), ("ches", "ch"),
        ("shes", "sh"), ("men", "man"), ("ies", "y"),
      ]
    ),
    (
      "verb",
      [
        ("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"),
        ("ing", ""),
      ]
    ),
    ("adj", [("er", ""), ("est", ""), ("er", "e"), ("est", "e")]),
    ("adv", []),
  ]
}

/// The files of one part of speech.
private struct PartOfSpeech: Sendable {
  let index: FileContents
  let data: FileContents
  let exceptions: FileContents
  let endings: [(String, String)]

  /// The words of the index that `word` may be a form of, itself first.
  func baseForms(of word: [UInt8]) -> [[UInt8]] {
    var forms = [word]
    if let line = line(of: word, in: exceptions) {
      forms += line.dropFirst()
    } else {
      forms += endings.compactMap { ending, base in
        let isLonger = word.count > ending.utf8.count
        guard isLonger, word.suffix(ending.utf8.count).elementsEqual(ending.utf8) else {
          return nil
        }
        return word.dropLast(ending.utf8.count) + Array(base.utf8)
      }
    }
    var seen: Set<[UInt8]> = []
    return forms.filter { seen.insert($0).inserted && line(of: $0, in: index) != nil }
  }

  /// Adds the members of all sets that a word of the index belongs to.
  func addMembers(of word: [UInt8], to synonyms: inout Set<String>) {
    // lemma part sets pointers symbol… senses tagged offset…
    guard let fields = line(of: word, in: index), fields.count > 3,
      let sets = Self.number(fields[2])
    else { return }
    for field in fields.suffix(min(sets, fields.count)) {
      guard let offset = Self.number(field), offset < data.bytes.count else { continue }
      addMembers(at: offset, to: &synonyms)
    }
  }

  /// Adds the words of the set whose line begins at `offset`.
  private func addMembers(at offset: Int, to synonyms: inout Set<String>) {
    // offset file type count(hexadecimal) word id word id …
    let line = Self.fields(data.bytes[offset...].prefix { $0 != 0x0A })
    guard line.count > 3, let count = Int(String(decoding: line[3], as: UTF8.self), radix: 16)
    else {
      return
    }
    for i in 0..<min(max(0, count), (line.count - 4) / 2) {
      // Adjectives may have their position behind them, in parentheses.
      let word = line[4 + 2 * i].prefix { $0 != UInt8(ascii: "(") }
      let letters = word.compactMap { byte -> UInt8? in
        switch byte {
        case UInt8(ascii: "_"), UInt8(ascii: "-"): UInt8(ascii: " ")
        case 0x41...0x5A: byte + 0x20
        case 0x61...0x7A: byte
        default: nil
        }
      }
      synonyms.insert(String(decoding: letters, as: UTF8.self))
    }
  }

  /// The fields of the line that begins with `word`, by binary search in a sorted file.
  private func line(of word: [UInt8], in file: FileContents) -> [[UInt8]]? {
    let bytes = file.bytes
    var low = 0
    var high = bytes.count
    while low < high {
      var start = (low + high) / 2
      while start > low, bytes[start - 1] != 0x0A { start -= 1 }
      let line = bytes[start...].prefix { $0 != 0x0A }
      // The licence in front of an index begins with spaces, which sort before letters.
      let key = line.prefix { $0 != 0x20 }
      if key.elementsEqual(word) { return Self.fields(line) }
      if key.lexicographicallyPrecedes(word) {
        low = min(line.endIndex + 1, bytes.count)
      } else {
        high = start
      }
    }
    return nil
  }

  private static func fields(_ line: Slice<UnsafeRawBufferPointer>) -> [[UInt8]] {
    line.split(separator: 0x20).map { Array($0) }
  }

  private static func number(_ digits: [UInt8]) -> Int? {
    Int(String(decoding: digits, as: UTF8.self)).flatMap { $0 >= 0 ? $0 : nil }
  }
}
