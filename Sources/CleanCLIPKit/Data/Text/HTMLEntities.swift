/// HTML character references, resolved as Python's `html.unescape` and ftfy's `unescape_html` do.
enum HTMLEntities {
  /// Resolves named and numeric references by the rules of HTML5, also those without semicolon.
  ///
  /// A name that is not known whole gives its longest known prefix: `&notit;` is `¬it;`.
  static func unescape(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    guard text.contains("&") else { return text }
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    var i = 0
    while i < text.count {
      if text[i] == "&", let (end, characters) = reference(in: text, after: i + 1) {
        result += characters
        i = end
      } else {
        result.append(text[i])
        i += 1
      }
    }
    return result
  }

  /// Resolves only what is surely a reference: with a semicolon, or a known name in capitals.
  static func unescapeUnambiguous(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    guard text.contains("&") else { return text }
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    var i = 0
    while i < text.count {
      if text[i] == "&", let (end, characters) = unambiguousReference(in: text, at: i) {
        result += characters
        i = end
      } else {
        result.append(text[i])
        i += 1
      }
    }
    return result
  }

  /// `&#?[0-9A-Za-z]{1,24};` at `start`, when it resolves.
  private static func unambiguousReference(
    in text: [Unicode.Scalar], at start: Int
  ) -> (end: Int, characters: [Unicode.Scalar])? {
    let isNumeric = start + 1 < text.count && text[start + 1] == "#"
    let first = start + (isNumeric ? 2 : 1)
    var end = first
    while end < text.count, end - first < 24, text[end].isASCIIAlphanumeric { end += 1 }
    guard end > first, end < text.count, text[end] == ";" else { return nil }
    if isNumeric {
      let characters = unescape(Array(text[start...end]))
      return characters.contains(";") ? nil : (end + 1, characters)
    }
    let name = text[first...end].map { UInt8(truncatingIfNeeded: $0.value) }
    guard let characters = names[name] ?? capitalNames[name] else { return nil }
    return (end + 1, characters)
  }

  /// The reference whose text after `&` begins at `start`, and where it ends.
  private static func reference(
    in text: [Unicode.Scalar], after start: Int
  ) -> (end: Int, characters: [Unicode.Scalar])? {
    guard start < text.count else { return nil }
    if text[start] == "#" { return numericReference(in: text, after: start + 1) }
    var name: [UInt8] = []
    var i = start
    while i < text.count, i - start < 32, !endsName(text[i]) {
      // No name has a character beyond ASCII; 0xFF stands for all of them.
      name.append(text[i].isASCII ? UInt8(text[i].value) : 0xFF)
      i += 1
    }
    guard i > start else { return nil }
    if i < text.count, text[i] == ";" { name.append(UInt8(ascii: ";")) }
    if let characters = names[name] { return (start + name.count, characters) }
    for length in stride(from: name.count - 1, to: 1, by: -1) {
      if let characters = names[Array(name[..<length])] { return (start + length, characters) }
    }
    return nil
  }

  private static func endsName(_ character: Unicode.Scalar) -> Bool {
    switch character {
    case "\t", "\n", "\u{0C}", " ", "<", "&", "#", ";": true
    default: false
    }
  }

  private static func numericReference(
    in text: [Unicode.Scalar], after start: Int
  ) -> (end: Int, characters: [Unicode.Scalar])? {
    let isHexadecimal = start < text.count && (text[start] == "x" || text[start] == "X")
    let first = start + (isHexadecimal ? 1 : 0)
    var i = first
    var code: UInt32 = 0
    while i < text.count, text[i].isASCII,
      let digit = CharacterTables.digit(UInt8(text[i].value)), isHexadecimal || digit < 10
    {
      // Beyond the last code point the value no longer matters.
      if code <= 0x10FFFF { code = code * (isHexadecimal ? 16 : 10) + UInt32(digit) }
      i += 1
    }
    guard i > first else { return nil }
    if i < text.count, text[i] == ";" { i += 1 }
    return (i, numericCharacter(code))
  }

  /// What HTML5 makes of a numeric reference: Windows-1252 for C1 controls, nothing for controls
  /// and noncharacters.
  private static func numericCharacter(_ code: UInt32) -> [Unicode.Scalar] {
    switch code {
    case 0: return ["\u{FFFD}"]
    case 0x80...0x9F: return [CharacterTables.windows1252[Int(code - 0x80)]]
    case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0xFDD0...0xFDEF: return []
    default:
      guard let character = Unicode.Scalar(code) else { return ["\u{FFFD}"] }
      return code & 0xFFFE == 0xFFFE ? [] : [character]
    }
  }

  /// Characters by name, with the semicolon and, where HTML5 allows it, without.
  private static let names: [[UInt8]: [Unicode.Scalar]] = {
    var names: [[UInt8]: [Unicode.Scalar]] = [:]
    for (key, characters) in CharacterTables.entries(of: CharacterTables.entities) {
      names[key] = characters
      if key.last != UInt8(ascii: ";") { names[key + [UInt8(ascii: ";")]] = characters }
    }
    return names
  }()

  /// Names written in capitals by a system that folds case (`&EACUTE;`), where that is no name.
  private static let capitalNames: [[UInt8]: [Unicode.Scalar]] = {
    var capitals: [[UInt8]: [Unicode.Scalar]] = [:]
    for (name, characters) in names where name.last == UInt8(ascii: ";") {
      guard name.allSatisfy({ !(0x41...0x5A).contains($0) }) else { continue }
      let capital = name.map { (0x61...0x7A).contains($0) ? $0 - 0x20 : $0 }
      let written = [UInt8(ascii: "&")] + capital
      let text = written.map { Unicode.Scalar($0) }
      guard unescape(text) == text else { continue }
      capitals[capital] = characters.flatMap {
        Array($0.properties.uppercaseMapping.unicodeScalars)
      }
    }
    return capitals
  }()
}
