internal import Glibc

/// A line with a bar, no wider than a terminal: what does not fit would be drawn again on every line below.
struct TerminalLine {
  let title: String
  /// Done, 0…1.
  let fraction: Double
  /// Done and all, in numbers.
  let count: String
  /// What else is worth knowing; may be empty.
  let details: String
  let clock: String

  private static let barWidth = 24
  private static let shortestBar = 6
  private static let shortestTitle = 12

  /// Columns of the terminal that is standard error; `nil` when it does not tell.
  static var columns: Int? {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// The line; where it is too wide the details go first, then most of the bar, the end of the title, the
  /// bar, and what is left behind the edge.
  func fitted(to columns: Int?) -> String {
    // A full last column makes some terminals wrap.
    guard let room = columns.map({ $0 - 1 }) else { return text(title, Self.barWidth, details) }
    let whole = text(title, Self.barWidth, details)
    guard Self.width(whole) > room else { return whole }
    let excess = Self.width(text(title, Self.barWidth, "")) - room
    let bar = max(Self.shortestBar, Self.barWidth - max(0, excess))
    var line = text(title, bar, "")
    if Self.width(line) > room {
      let rest = Self.width(line) - Self.width(title)
      line = text(Self.cut(title, to: max(Self.shortestTitle, room - rest)), bar, "")
    }
    if Self.width(line) > room {
      let rest = Self.width(text("", 0, ""))
      line = text(Self.cut(title, to: max(Self.shortestTitle, room - rest)), 0, "")
    }
    return Self.cut(line, to: room)
  }

  private func text(_ title: String, _ bar: Int, _ details: String) -> String {
    let filled = Int(fraction * Double(bar))
    let drawn =
      String(repeating: "█", count: filled) + String(repeating: "·", count: bar - filled)
    let start = [title, drawn, count].filter { !$0.isEmpty }.joined(separator: " ")
    return [start, details, clock].filter { !$0.isEmpty }.joined(separator: "  ")
  }

  /// The text, its end replaced by a mark where it is wider than so many columns.
  private static func cut(_ text: String, to room: Int) -> String {
    guard width(text) > room else { return text }
    var result = ""
    for character in text {
      guard width(result) + width(character) < room else { break }
      result.append(character)
    }
    return room > 0 ? result + "…" : ""
  }

  private static func width(_ text: String) -> Int { text.reduce(0) { $0 + width($1) } }

  /// Columns of a character: two for those of East Asian scripts and for pictographs.
  private static func width(_ character: Character) -> Int {
    guard let first = character.unicodeScalars.first?.value else { return 0 }
    let wide: [ClosedRange<UInt32>] = [
      0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
      0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD,
    ]
    return wide.contains { $0.contains(first) } ? 2 : 1
  }
}
