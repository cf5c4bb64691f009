/// What a check concludes. The words are the same for checkpoints, datasets and images.
package enum Verdict: String, Equatable, Sendable {
  /// Nothing was found that a clean model would not show too.
  case clean
  /// Something is unusual, at a level that one in twenty clean models reaches.
  case suspicious
  /// Something was found that fewer than one in a hundred clean models shows.
  case backdoored
  /// The check could not be made well enough for a conclusion.
  case cannotTell = "cannot_tell"

  /// Probabilities of chance below which the stronger words are used.
  static let suspiciousBelow = 0.05
  static let backdooredBelow = 0.01

  /// The more serious of two verdicts; not being able to tell is worse than clean alone.
  func worse(than other: Verdict) -> Verdict {
    let order: [Verdict] = [.backdoored, .suspicious, .cannotTell, .clean]
    return order.first { $0 == self || $0 == other } ?? self
  }

  /// The word for a p-value.
  init(pValue: Double) {
    if pValue < Self.backdooredBelow {
      self = .backdoored
    } else if pValue < Self.suspiciousBelow {
      self = .suspicious
    } else {
      self = .clean
    }
  }
}
