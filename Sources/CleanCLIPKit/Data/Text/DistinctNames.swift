/// Names of classes that are compared with one another, each once: one that stands twice, as in ImageNet's
/// published list, would be its own rival.
package struct DistinctNames {
  /// In the order in which they first occur.
  package let names: [String]
  /// Where each of them first occurs.
  let rows: [Int]
  /// What is there more than once, in a sentence for people; `nil` when nothing is.
  package let notice: String?

  package init(_ given: [String]) {
    var known: Set<String> = []
    rows = given.indices.filter { known.insert(given[$0]).inserted }
    names = rows.map { given[$0] }
    guard names.count < given.count else {
      notice = nil
      return
    }
    var counts: [String: Int] = [:]
    for name in given { counts[name, default: 0] += 1 }
    let repeated = names.filter { counts[$0, default: 0] > 1 }
    let shown = repeated.prefix(4).map { "'\($0)'" }.joined(separator: ", ").printable()
    notice =
      "\(given.count) class names are \(names.count) different ones; several times: \(shown)"
      + (repeated.count > 4 ? " and \(repeated.count - 4) more" : "")
  }
}
