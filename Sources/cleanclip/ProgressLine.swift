internal import Glibc
internal import ToolSupport

/// Shows how far a command is: a bar that is redrawn on a terminal, a line now and then elsewhere.
struct ProgressLine {
  private let title: String
  private let isTerminal: Bool
  private let isQuiet: Bool
  /// When and where the first step that was shown stood: what was before it has a pace of its own.
  private var first: (time: Double, done: Int)?
  private var last = -Double.infinity
  /// Whether a bar is drawn whose line is not ended.
  private var isOpen = false
  /// Whether the last step was shown: work may say more than once that it is done.
  private var isEnded = false

  /// Seconds between two lines where there is no terminal.
  private static let lineInterval = 15.0
  /// Seconds from which steps tell how long the rest takes.
  private static let shortest = 3.0
  /// Seconds between two drawings of the bar.
  private static let drawInterval = 0.1

  init(_ title: String, isQuiet: Bool = false) {
    self.title = title
    self.isQuiet = isQuiet
    isTerminal = isatty(STDERR_FILENO) != 0
  }

  /// Shows step `done` of `total`, with what else is worth knowing.
  ///
  /// - Parameters:
  ///   - total: 0 while it is not known.
  ///   - mayEndEarly: whether `total` is a limit, as the time that is shown is then.
  mutating func update(
    _ done: Int, of total: Int, _ details: String = "", mayEndEarly: Bool = false
  ) {
    guard !isQuiet else { return }
    let time = Self.now()
    var start = first ?? (time, done)
    // Another phase counts anew.
    if done < start.done { start = (time, done) }
    first = start
    let isEnd = total > 0 && done >= total
    guard !(isEnd && isEnded) else { return }
    isEnded = isEnd
    guard isEnd || time - last >= (isTerminal ? Self.drawInterval : Self.lineInterval) else {
      return
    }
    last = time
    let count = total > 0 ? "\(done)/\(total)" : "\(done)"
    let fraction = total > 0 ? min(1, max(0, Double(done) / Double(total))) : 0
    let elapsed = time - start.time
    let clock =
      if isEnd {
        "in \(Self.duration(elapsed))"
      } else if elapsed < Self.shortest || total == 0 {
        // Nothing tells yet how long it takes.
        "\(Self.duration(elapsed)) so far"
      } else {
        (mayEndEarly ? "at most " : "")
          + Self.duration(elapsed / Double(max(1, done - start.done)) * Double(total - done))
          + " left"
      }
    if isTerminal {
      let line = TerminalLine(
        title: title, fraction: fraction, count: count, details: details, clock: clock)
      writeError("\r\u{1B}[K" + line.fitted(to: TerminalLine.columns) + (isEnd ? "\n" : ""))
      isOpen = !isEnd
    } else {
      writeError("\(title): \(count)\(details.isEmpty ? "" : "  " + details), \(clock)\n")
    }
  }

  /// Ends a bar that did not reach its end, so that what follows starts on a line of its own.
  func interrupt() {
    if isOpen { writeError("\n") }
  }

  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  private static func duration(_ seconds: Double) -> String {
    let seconds = Int(min(max(0, seconds), 1e9).rounded())
    let (minutes, rest) = seconds.quotientAndRemainder(dividingBy: 60)
    if minutes == 0 { return "\(rest) s" }
    if minutes < 60 { return "\(minutes) min \(rest) s" }
    return "\(minutes / 60) h \(minutes % 60) min"
  }
}
