extension Communicator {
  /// Checks that every rank has the same facts, before the first step.
  ///
  /// - Parameter facts: values by the name that messages give them, with the same names on each rank.
  /// - Throws: `invalidArgument` on every rank, naming the ranks that differ from rank 0 and how.
  func agree(on facts: [String: String]) throws(CLIPError) {
    guard !isSingle else { return }
    // A unit separator stands in no name and in no value that is text.
    let text = facts.sorted { $0.key < $1.key }.map { "\($0.key)\u{1f}\($0.value)" }
      .joined(separator: "\u{1e}")
    let ranks = try gather(text, for: .agreement).map(Self.facts)
    let differences = (1..<size).compactMap { rank in
      Self.differences(ranks[rank], from: ranks[0]).map { "rank \(rank): \($0)" }
    }
    guard differences.isEmpty else {
      let shown = differences.prefix(4).joined(separator: "; ")
      let more = differences.count > 4 ? "; and \(differences.count - 4) more ranks" : ""
      throw CLIPError(
        .invalidArgument,
        "communicator: the ranks do not agree; \(shown)\(more); give every rank the same model, data "
          + "and options")
    }
  }

  private static func facts(_ text: String) -> [String: String] {
    var facts: [String: String] = [:]
    for line in text.split(separator: "\u{1e}") {
      let parts = line.split(separator: "\u{1f}", maxSplits: 1, omittingEmptySubsequences: false)
      facts[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
    }
    return facts
  }

  /// What differs, in words; `nil` for nothing.
  private static func differences(
    _ facts: [String: String], from first: [String: String]
  ) -> String? {
    let names = Set(facts.keys).union(first.keys).sorted().filter { facts[$0] != first[$0] }
    guard !names.isEmpty else { return nil }
    return names.map {
      "\($0): expected \(first[$0] ?? "none") as on rank 0, got \(facts[$0] ?? "none")"
    }.joined(separator: ", ")
  }
}
