/// How a method that looks for a backdoor itself ended.
package enum SanitizeVerdict: String, Sendable {
  /// What was recovered has no effect any more, and fresh searches find nothing that clean models do
  /// not have.
  case removed
  /// The effect of what was recovered fell, and some is left.
  case weakened
  /// There is no trigger beyond those of clean models; a few of these may be unlearned as a precaution.
  case nothingFound = "nothing_found"
  /// The effect of what was recovered is still there.
  case notRemoved = "not_removed"

  /// The exit code of the command line.
  package var exitCode: Int32 {
    switch self {
    case .removed, .nothingFound: 0
    case .notRemoved: 3
    case .weakened: 4
    }
  }
}

extension SanitizeVerdict {
  /// What is said of two towers: the worse.
  func combined(with other: SanitizeVerdict) -> SanitizeVerdict {
    let order: [SanitizeVerdict] = [.nothingFound, .removed, .weakened, .notRemoved]
    return order.last { $0 == self || $0 == other } ?? self
  }
}
