/// What became of images that the user knows to carry a trigger.
struct ShownSuspects {
  /// The candidate that most were read as.
  let target: Int
  /// Those that were, of all suspects.
  let given: Proportion
  /// Of those that were, the ones that still are.
  var after: Proportion?
  /// Held-out images that are read as it without a trigger.
  var base: Proportion?

  /// Whether more than half of them still are.
  var isMostlyLeft: Bool { (after?.value ?? 1) > 0.5 }

  /// Whether they still are: by more than the tolerance, and more than chance explains.
  var isLeft: Bool {
    guard let after, let base else { return true }
    return after.interval.lowerBound > base.value + UnlearnOutcome.tolerance
  }

  /// For people.
  func line(_ vocabulary: TextVocabulary) -> String {
    "suspects: \(given.successes) of \(given.total) were classified as '\(vocabulary.names[target])'"
      + (after.map { ", \(percent($0.value)) of these still are" } ?? "")
  }

  func json(_ vocabulary: TextVocabulary) -> JSONObject {
    var object: JSONObject = [
      "images": .integer(given.total), "target": .string(vocabulary.names[target]),
      "read_as_target": .integer(given.successes),
    ]
    if let after { object["still_read_as_target"] = .number(after.value) }
    if let base { object["base_rate"] = .number(base.value) }
    return object
  }
}
