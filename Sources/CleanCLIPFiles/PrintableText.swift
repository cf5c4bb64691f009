extension String {
  /// The text as it may go to a terminal: names from files may hold control characters, which
  /// terminals obey, and characters that turn the direction of the text around; both are written as
  /// escapes. What is longer than `limit` bytes loses its middle.
  package func printable(limit: Int = 8192) -> String {
    if utf8.count <= limit, !unicodeScalars.contains(where: Self.isUnprintable) { return self }
    var text = ""
    for scalar in unicodeScalars.prefix(limit) {
      if Self.isUnprintable(scalar) {
        text += "\\u{" + String(scalar.value, radix: 16) + "}"
      } else {
        text.unicodeScalars.append(scalar)
      }
      if text.utf8.count > limit { break }
    }
    if utf8.count <= limit, text.utf8.count <= limit { return text }
    // What was expected and what to do stands at the end.
    let end = String(String.UnicodeScalarView(unicodeScalars.suffix(limit / 4)))
    return String(text.prefix(limit / 2)) + " … " + end.printable(limit: .max)
  }

  private static func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0...0x1F, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
