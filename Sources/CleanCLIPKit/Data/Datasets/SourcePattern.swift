internal import Glibc

/// Paths of data files, written with the shell's `*`, `?`, `[…]`, `{a,b}` and ranges
/// `{00000..00012}`.
enum SourcePattern {
  /// Paths that one pattern may stand for.
  private static let limit = 1 << 20

  /// Returns the existing paths that a pattern stands for, sorted within each alternative.
  ///
  /// A path that exists as it is written is not taken for a pattern.
  /// - Parameter expected: what the paths are, for messages.
  /// - Throws: `notFound` when there is none; `invalidArgument` for a range that is too long.
  static func expand(_ pattern: String, for expected: String) throws(CLIPError) -> [String] {
    try CLIPError.checkPath(pattern)
    if access(pattern, F_OK) == 0 { return [pattern] }
    var paths: [String] = []
    for alternative in try expandBraces(pattern) { paths += matches(alternative) }
    guard !paths.isEmpty else {
      let problem = pattern.contains { "*?[{".contains($0) } ? "matches no file" : "no such file"
      throw CLIPError(.notFound, "'\(pattern)': \(problem); expected \(expected); check the path")
    }
    return paths
  }

  /// Replaces braces from left to right; what is no list and no range stays.
  static func expandBraces(_ pattern: String) throws(CLIPError) -> [String] {
    var done: [String] = []
    var open = [(head: "", tail: Substring(pattern))]
    while let (head, tail) = open.popLast() {
      guard let start = tail.firstIndex(of: "{"), let end = tail[start...].firstIndex(of: "}")
      else {
        done.append(head + tail)
        continue
      }
      let body = tail[tail.index(after: start)..<end]
      let before = head + tail[..<start]
      let rest = tail[tail.index(after: end)...]
      let choices = try range(body) ?? list(body)
      guard done.count + open.count + choices.count <= limit else {
        throw CLIPError(
          .invalidArgument,
          "'\(pattern)': too many alternatives; expected at most \(limit) paths, got more")
      }
      // The last on the stack is taken first.
      for choice in choices.reversed() { open.append((before + choice, rest)) }
    }
    return done
  }

  private static func list(_ body: Substring) -> [String] {
    guard body.contains(",") else { return ["{\(body)}"] }
    return body.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
  }

  /// `first..last`, both padded to the width of the first.
  private static func range(_ body: Substring) throws(CLIPError) -> [String]? {
    let parts = body.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[1].isEmpty, let first = UInt32(parts[0]),
      let last = UInt32(parts[2]), first <= last
    else { return nil }
    guard Int(last - first) < limit else {
      throw CLIPError(
        .invalidArgument,
        "'{\(body)}': range is too long; expected at most \(limit) files, got \(last - first + 1)")
    }
    let width = parts[0].count
    return (first...last).map { number in
      let digits = String(number)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
  }

  private static func matches(_ pattern: String) -> [String] {
    var result = glob_t()
    defer { globfree(&result) }
    guard glob(pattern, 0, nil, &result) == 0, let paths = result.gl_pathv else { return [] }
    return (0..<Int(result.gl_pathc)).compactMap { paths[$0].map { String(cString: $0) } }
  }
}
