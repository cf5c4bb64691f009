/// Divides cleaned, lower-case text into the pieces that byte pairs are merged within.
///
/// ```
/// 's|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
/// ```
/// Bytes are UTF-8 and valid.
struct WordSplitter: Sendable {
  /// Whether the expression ignores case, as OpenAI's does and Hugging Face's does not. On
  /// lower-case text two characters tell: the long s counts as an s in contractions, and U+0345,
  /// a mark whose upper case is a letter, belongs to no piece.
  let ignoresCase: Bool
  /// Pieces that come before all others, in lower case; each begins with `<`.
  let specials: [[UInt8]]

  /// Calls `body` with the byte range of each piece, until it returns false.
  func forEachWord(in text: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Bool) {
    var i = 0
    while i < text.count {
      let (kind, length) = classify(text, at: i)
      var end = i + length
      switch kind {
      case .space:
        i = end
        continue
      case .number:
        break
      case .letter:
        end = endOfRun(of: .letter, in: text, from: end)
      case .other:
        if let special = special(text, at: i) {
          end = i + special
        } else if let contraction = contraction(text, at: i) {
          end = i + contraction
        } else {
          end = endOfRun(of: .other, in: text, from: end)
        }
      }
      guard body(i..<end) else { return }
      i = end
    }
  }

  private enum Kind { case letter, number, space, other }

  private func endOfRun(
    of kind: Kind, in text: UnsafeBufferPointer<UInt8>, from start: Int
  ) -> Int {
    var end = start
    while end < text.count {
      let (next, length) = classify(text, at: end)
      if next != kind { break }
      end += length
    }
    return end
  }

  /// The kind and the byte length of the character at `i`.
  private func classify(
    _ text: UnsafeBufferPointer<UInt8>, at i: Int
  ) -> (kind: Kind, length: Int) {
    let byte = text[i]
    switch byte {
    case 0x61...0x7A, 0x41...0x5A: return (.letter, 1)
    case 0x20, 0x09...0x0D: return (.space, 1)
    case 0x30...0x39: return (.number, 1)
    case 0..<0x80: return (.other, 1)
    default: break
    }
    let length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
    var code = UInt32(byte) & (length == 2 ? 0x1F : length == 3 ? 0x0F : 0x07)
    for k in 1..<length { code = code << 6 | UInt32(text[i + k] & 0x3F) }
    guard let character = Unicode.Scalar(code) else { return (.other, length) }
    return (kind(of: character), length)
  }

  private func kind(of character: Unicode.Scalar) -> Kind {
    switch character.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      .letter
    case .decimalNumber, .letterNumber, .otherNumber:
      .number
    default:
      character.properties.isWhitespace || (ignoresCase && character == "\u{345}")
        ? .space : .other
    }
  }

  private func special(_ text: UnsafeBufferPointer<UInt8>, at i: Int) -> Int? {
    guard text[i] == UInt8(ascii: "<") else { return nil }
    for special in specials {
      var end = i
      let isEqual = special.allSatisfy { byte in
        guard let (next, length) = letter(text, at: end), next == byte else { return false }
        end += length
        return true
      }
      if isEqual { return end - i }
    }
    return nil
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d` at `i`.
  private func contraction(_ text: UnsafeBufferPointer<UInt8>, at i: Int) -> Int? {
    guard text[i] == UInt8(ascii: "'"), let (first, length) = letter(text, at: i + 1) else {
      return nil
    }
    switch first {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return 1 + length
    case UInt8(ascii: "r"), UInt8(ascii: "v"), UInt8(ascii: "l"):
      let second = first == UInt8(ascii: "l") ? first : UInt8(ascii: "e")
      return i + 2 < text.count && text[i + 2] == second ? 3 : nil
    default:
      return nil
    }
  }

  /// The byte at `i` and its length, with the long s taken for an s where case is ignored.
  private func letter(
    _ text: UnsafeBufferPointer<UInt8>, at i: Int
  ) -> (byte: UInt8, length: Int)? {
    guard i < text.count else { return nil }
    if ignoresCase, text[i] == 0xC5, i + 1 < text.count, text[i + 1] == 0xBF {
      return (UInt8(ascii: "s"), 2)
    }
    return (text[i], 1)
  }
}
