/// What the library says, in the words of the command line.
package enum ToolMessage {
  /// What begins the library's messages on an option, whose name is the next word.
  private static let ofOptions = "options: "

  /// Writes a message to standard error.
  package static func print(_ text: String, tool: String = "cleanclip") {
    printError(line(text, tool: tool))
  }

  /// A message behind the name of the tool, once: a method may have the same.
  package static func line(_ text: String, tool: String) -> String {
    let start = tool + ": "
    let text = text.hasPrefix(start) ? String(text.dropFirst(start.count)) : text
    return start + inFlags(text)
  }

  /// Names options as they are written on the command line: `memory_budget` is `--memory-budget` there.
  private static func inFlags(_ text: String) -> String {
    guard text.hasPrefix(ofOptions) else { return text }
    var words = text.dropFirst(ofOptions.count)
      .split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    for index in words.indices where index == 0 || isName(words[index]) {
      words[index] = "--" + words[index].split(separator: "_").joined(separator: "-")
    }
    return words.joined(separator: " ")
  }

  /// Whether a word can only be the name of an option: small letters around an underscore.
  private static func isName(_ word: String) -> Bool {
    let word = word.last.map { ",;:".contains($0) } == true ? word.dropLast() : word[...]
    let parts = word.split(separator: "_", omittingEmptySubsequences: false)
    return parts.count > 1
      && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy { ("a"..."z").contains($0) } }
  }
}
