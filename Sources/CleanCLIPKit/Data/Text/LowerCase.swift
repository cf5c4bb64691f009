/// Full lower-case mapping of text.
enum LowerCase {
  /// Returns the lower case as Python's `str.lower` writes it: full mappings (`İ` becomes `i̇`), and
  /// a capital sigma at the end of a word becomes `ς`.
  static func python(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    for (i, character) in text.enumerated() {
      if character == "Σ" {
        result.append(isFinalSigma(text, i) ? "ς" : "σ")
      } else {
        appendLower(character, to: &result)
      }
    }
    return result
  }

  /// Returns each character's own lower case, whatever stands around it, as Hugging Face's
  /// `Lowercase` normaliser does.
  static func perCharacter(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    for character in text { appendLower(character, to: &result) }
    return result
  }

  private static func appendLower(_ character: Unicode.Scalar, to result: inout [Unicode.Scalar]) {
    switch character.value {
    case 0x41...0x5A: result.append(Unicode.Scalar(UInt8(character.value + 0x20)))
    case 0..<0x80: result.append(character)
    default: result += character.properties.lowercaseMapping.unicodeScalars
    }
  }

  /// The condition `Final_Sigma` of the Unicode Standard, section 3.13.
  private static func isFinalSigma(_ text: [Unicode.Scalar], _ index: Int) -> Bool {
    let before = text[..<index].last { !$0.properties.isCaseIgnorable }
    guard let before, before.properties.isCased else { return false }
    let after = text[(index + 1)...].first { !$0.properties.isCaseIgnorable }
    guard let after else { return true }
    return !after.properties.isCased
  }
}
