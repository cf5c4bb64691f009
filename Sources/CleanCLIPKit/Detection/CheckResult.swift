/// What the result of any check can do: hosts and tools know no more of it.
package protocol CheckResult: Sendable {
  var verdict: Verdict { get }
  /// The result for machines.
  var json: JSONValue { get }
  /// What each search found, the searches of all towers one after another; empty for checks that
  /// search nothing.
  var findings: [Finding] { get }
  /// Of the pairs in the order of the dataset, higher is more suspicious; empty for other checks.
  var scores: [Float] { get }
  /// Endings of further files that the result can be written to, and what they hold.
  var tables: [(ending: String, text: @Sendable () -> String)] { get }

  /// Refuses to replace what was checked.
  ///
  /// - Throws: `invalidArgument`.
  func checkOutput(_ path: String) throws(CLIPError)

  /// The result as one self-contained page.
  ///
  /// - Parameters:
  ///   - subject: what was checked.
  ///   - version: of the program.
  /// - Throws: `internal`, `outOfMemory` when an image cannot be encoded.
  func page(subject: String, version: String) throws(CLIPError) -> String
}

extension CheckResult {
  package var findings: [Finding] { [] }
  package var scores: [Float] { [] }
  package func checkOutput(_ path: String) throws(CLIPError) {}
  package var tables: [(ending: String, text: @Sendable () -> String)] { [] }

  /// Writes the result to a file.
  ///
  /// - Parameter path: its ending tells what is written: `.html`, `.json`, or that of a table.
  /// - Throws: `invalidArgument` for another ending; `io`; see `page`.
  package func write(
    to path: String, subject: String = "", version: String
  ) throws(CLIPError) {
    try checkOutput(path)
    if path.hasSuffix(".html") {
      return try AtomicFile.write(try page(subject: subject, version: version), to: path)
    }
    if path.hasSuffix(".json") {
      return try AtomicFile.write(json.serialized(pretty: true), to: path)
    }
    if let table = tables.first(where: { path.hasSuffix($0.ending) }) {
      return try AtomicFile.write(table.text(), to: path)
    }
    let endings = [".html", ".json"] + tables.map(\.ending)
    throw CLIPError(
      .invalidArgument,
      "'\(path)': has another ending; expected one of \(endings.joined(separator: ", "))")
  }
}
