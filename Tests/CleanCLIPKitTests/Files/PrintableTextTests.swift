import CleanCLIPKit
import Testing

@Suite struct PrintableTextTests {
  @Test func controlCharactersBecomeEscapes() {
    #expect("a\u{1B}]0;x\u{7}b".printable() == "a\\u{1b}]0;x\\u{7}b")
    #expect("\u{202E}gnp.exe\n".printable() == "\\u{202e}gnp.exe\\u{a}")
    #expect("\u{9B}2J".printable() == "\\u{9b}2J")
  }

  @Test func wordsOfAllScriptsStay() {
    for text in ["café", "日本語", "👩‍👩‍👧", "עברית", ""] { #expect(text.printable() == text) }
  }

  @Test func longTextsKeepBeginningAndEnd() {
    let text = "begin" + String(repeating: "x", count: 100_000) + "end"
    let short = text.printable(limit: 100)
    #expect(short.hasPrefix("begin") && short.hasSuffix("xend"))
    #expect(short.utf8.count < 200)
  }

  @Test func errorsAreFitForTerminals() {
    #expect(!CLIPError(.format, "'\u{1B}[2J': is bad").message.contains("\u{1B}"))
  }
}
