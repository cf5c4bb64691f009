/// What became of images that the user knows to carry a trigger.
struct ShownSuspects {
  /// The candidate that most were read as, of all suspects.
  let target: Int
  /// Of those that were, how many are read as it by the model as it was and as it is.
  let before: Proportion
  let given: Proportion
  var after: Proportion?
  /// Held-out images that are read as it without a trigger.
  var base: Proportion?

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
