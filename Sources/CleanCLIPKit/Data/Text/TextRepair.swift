/// The repairs of Python's ftfy 6 that CLIP's tokenizer begins with, but one: mojibake (text
/// decoded with the wrong encoding) is left as it is.
///
/// Ligatures, fullwidth forms, curly quotes, line ends, terminal escapes and control characters
/// become what a typist would have written, and the text is normalised to form C.
enum TextRepair {
  /// ftfy repeats its repairs until nothing changes. The limit keeps `&amp;amp;amp;…` of any depth
  /// from taking quadratic time; honest text needs two rounds.
  private static let roundLimit = 32

  /// Returns the repaired text, line by line.
  static func repair(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    var start = 0
    var unescapes = true
    while start < text.count {
      let end = (text[start...].firstIndex(of: "\n") ?? text.count - 1) + 1
      // A line with a tag is markup: references stay in it and in all lines after it.
      if text[start..<end].contains("<") { unescapes = false }
      result += repairLine(Array(text[start..<end]), unescapes: unescapes)
      start = end
    }
    return result
  }

  private static func repairLine(
    _ line: [Unicode.Scalar], unescapes: Bool
  ) -> [Unicode.Scalar] {
    var text = line
    for _ in 0..<roundLimit {
      let before = text
      if unescapes { text = HTMLEntities.unescapeUnambiguous(text) }
      text = replaceCharacters(text)
      text = removeTerminalEscapes(text)
      text.removeAll(where: isUnwantedControl)
      text = Normalization.python.composed(text)
      if text == before { break }
    }
    return text
  }

  /// C1 controls, ligatures, character width, quotes and line ends.
  private static func replaceCharacters(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    guard text.contains(where: { $0.value >= 0x80 || $0 == "\r" }) else { return text }
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    for character in text {
      switch character.value {
      case 0x0A where result.last == "\r":
        result[result.count - 1] = "\n"
      case 0..<0x80:
        result.append(character)
      case 0x80...0x9F:
        result.append(straightened(CharacterTables.windows1252[Int(character.value - 0x80)]))
      default:
        if let usual = CharacterTables.usualForms[character.value] {
          for part in usual { result.append(straightened(part)) }
        } else {
          result.append(straightened(character))
        }
      }
    }
    for i in result.indices where result[i] == "\r" { result[i] = "\n" }
    return result
  }

  /// Straight quotes for curly ones, a line feed for the other line ends of Unicode.
  private static func straightened(_ character: Unicode.Scalar) -> Unicode.Scalar {
    switch character.value {
    case 0x02BC, 0x2018...0x201B: "'"
    case 0x201C...0x201F: "\""
    case 0x2028, 0x2029: "\n"
    default: character
    }
  }

  /// Removes `ESC [ digits and semicolons, letter`.
  private static func removeTerminalEscapes(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    guard text.contains("\u{1B}") else { return text }
    var result: [Unicode.Scalar] = []
    var i = 0
    while i < text.count {
      if text[i] == "\u{1B}", i + 1 < text.count, text[i + 1] == "[" {
        var end = i + 2
        while end < text.count,
          text[end] == ";" || text[end].properties.generalCategory == .decimalNumber
        {
          end += 1
        }
        if end < text.count, text[end].isASCIIAlphanumeric {
          i = end + 1
          continue
        }
        // No escape; what was scanned holds none either.
        result += text[i..<end]
        i = end
        continue
      }
      result.append(text[i])
      i += 1
    }
    return result
  }

  private static func isUnwantedControl(_ character: Unicode.Scalar) -> Bool {
    switch character.value {
    case 0x00...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x206A...0x206F, 0xFEFF, 0xFFF9...0xFFFC: true
    default: false
    }
  }
}
