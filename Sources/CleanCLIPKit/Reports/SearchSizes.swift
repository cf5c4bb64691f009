/// Sizes of the searches that a method made, read from the outcome in its history.
struct SearchSizes {
  private struct Search {
    let kind: String
    let target: String
    let size: Double
    /// Of a search without a target, those that it is judged by.
    let references: [Double]?
  }

  private let searches: [Search]
  private let suspects: Set<String>

  /// - Parameter outcome: may come from any file; what is of another form is left out.
  init(_ outcome: JSONObject) {
    searches = (outcome["searches"]?.array ?? []).compactMap { search in
      guard let kind = search["kind"]?.string, let target = search["target"]?.string,
        let size = search["size"]?.double
      else { return nil }
      return Search(
        kind: kind, target: target, size: size,
        references: search["reference_sizes"]?.array?.compactMap(\.double))
    }
    suspects = Set((outcome["suspects"]?.array ?? []).compactMap { $0["target"]?.string })
  }

  /// For each kind, the suspects, or the smallest where there are none, against the other classes; then those
  /// without a target.
  var rows: [StripPlot.Row] {
    towardsClasses
      + searches.compactMap { search in
        search.references.flatMap {
          StripPlot.Row(
            "\(search.kind) without a target, to \(search.target)", search.size, references: $0,
            mark: suspects.contains(search.target) ? .bad : .neutral)
        }
      }
  }

  private var towardsClasses: [StripPlot.Row] {
    let searches = searches.filter { $0.references == nil }
    var kinds: [String] = []
    for search in searches where !kinds.contains(search.kind) { kinds.append(search.kind) }
    return kinds.flatMap { kind in
      let all = searches.filter { $0.kind == kind }
      let others = all.filter { !suspects.contains($0.target) }
      let marked = all.filter { suspects.contains($0.target) }
      if marked.isEmpty, let smallest = all.min(by: { $0.size < $1.size }) {
        let rest = all.filter { $0.target != smallest.target }
        return Self.row(smallest, against: rest, .neutral).map { [$0] } ?? []
      }
      return marked.compactMap { Self.row($0, against: others, .bad) }
    }
  }

  private static func row(
    _ search: Search, against others: [Search], _ mark: PageMark
  ) -> StripPlot.Row? {
    StripPlot.Row(
      "\(search.kind) towards \(search.target)", search.size, references: others.map(\.size),
      mark: mark)
  }
}
