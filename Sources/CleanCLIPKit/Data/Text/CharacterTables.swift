/// Character data that the standard library has no public form of; `scripts/text_tables.py` writes
/// the tables, entries `key=code+code` with spaces or line ends between them.
enum CharacterTables {
  /// Returns the entries of a table, keys as ASCII bytes.
  static func entries(of table: String) -> [(key: [UInt8], characters: [Unicode.Scalar])] {
    table.utf8.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }.map { entry in
      let parts = entry.split(separator: UInt8(ascii: "="))
      precondition(parts.count == 2, "entries have the form key=codes")
      let characters = parts[1].split(separator: UInt8(ascii: "+")).map(character)
      return (Array(parts[0]), characters)
    }
  }

  /// Returns the character with this hexadecimal code point.
  static func character(_ digits: some Sequence<UInt8>) -> Unicode.Scalar {
    let code = digits.reduce(0 as UInt32) { $0 << 4 | UInt32(Self.digit($1) ?? 0) }
    return Unicode.Scalar(code) ?? "\u{FFFD}"
  }

  /// The value of a hexadecimal digit.
  static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// Windows-1252 at 0x80 … 0x9F, which is what C1 controls were meant to be; five are unassigned.
  static let windows1252: [Unicode.Scalar] = Array(
    "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}Ž\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}žŸ".unicodeScalars)

  /// Latin ligatures, halfwidth and fullwidth forms by code point.
  static let usualForms: [UInt32: [Unicode.Scalar]] = {
    var forms: [UInt32: [Unicode.Scalar]] = [:]
    for (key, characters) in entries(of: presentationForms) {
      forms[character(key).value] = characters
    }
    return forms
  }()
}

extension Unicode.Scalar {
  /// Whether Python's `str.split` and `str.strip` take it for white space.
  var isPythonSpace: Bool {
    (0x1C...0x1F).contains(value) || properties.isWhitespace
  }

  /// Whether it is an ASCII letter or digit.
  var isASCIIAlphanumeric: Bool {
    switch value {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: false
    }
  }
}
