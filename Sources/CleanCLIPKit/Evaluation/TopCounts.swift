/// How often a class was among the first k of a ranking.
package struct TopCounts: Sendable {
  /// The values of k that are counted: 1, 3, 5 and 10, as far as there are classes.
  private let ks: [Int]
  private var successes: [Int]
  private(set) var total = 0

  init(classes: Int) {
    ks = [1, 3, 5, 10].filter { $0 == 1 || $0 <= classes }
    successes = Array(repeating: 0, count: ks.count)
  }

  /// Counts an image whose class of interest has `rank` classes before it.
  mutating func add(rank: Int) {
    total += 1
    for (index, k) in ks.enumerated() where rank < k { successes[index] += 1 }
  }

  var places: [EvaluationResult.Place] {
    zip(ks, successes).map { EvaluationResult.Place(place: $0, rate: Proportion($1, of: total)) }
  }

  /// Returns how many classes score higher than `label`; of equal scores the lower index comes first.
  package static func rank(of label: Int, in scores: UnsafeBufferPointer<Float>) -> Int {
    let own = scores[label]
    var before = 0
    for (index, score) in scores.enumerated() where score > own || (score == own && index < label) {
      before += 1
    }
    return before
  }
}
