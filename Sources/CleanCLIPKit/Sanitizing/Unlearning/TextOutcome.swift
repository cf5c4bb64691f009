/// What became of the triggers that were found in a text tower.
struct TextOutcome {
  /// A word, a character or a pair of words that makes captions mean the same.
  struct Word {
    let found: TextSearch
    /// The text nearest to where captions go.
    let target: String?
    /// The part of the differences between held-out captions that it leaves.
    let before: Float
    var after: Float?

    /// Whether it still takes more than half of the differences, as a trigger does.
    var isLeft: Bool { (after ?? before) < 0.5 }
    var isWeaker: Bool { (after ?? before) > max(2 * before, 0.1) }
  }

  var words: [Word] = []
  /// Of the strongest triggers of the tower as it is, and whether that is one more trigger.
  var pValue = 1.0
  var isFound = false
  /// Mean cosine of held-out captions' features with those of before.
  var cosine: Float = 1

  var verdict: SanitizeVerdict {
    if words.isEmpty { return .nothingFound }
    if !words.contains(where: \.isLeft) && !isFound { return .removed }
    return words.allSatisfy(\.isWeaker) ? .weakened : .notRemoved
  }

  /// For people.
  var lines: [String] {
    guard !words.isEmpty else {
      return ["text tower: no word or character makes captions of anything mean the same"]
    }
    return words.map { word in
      "text tower: the \(word.found.kindName) \(word.found.name) left \(percent(Double(word.before))) of the differences "
        + "between captions"
        + (word.target.map { ", close to '\($0)'".printable() } ?? "")
        + (word.after.map { ", and leaves \(percent(Double($0)))" } ?? "")
    } + ["captions: mean cosine with the features of before \(cosine)"]
  }

  var json: JSONObject {
    [
      "verdict": .string(verdict.rawValue), "p_value_after": .number(pValue),
      "cosine": .single(cosine),
      "words": .array(
        words.map { word in
          [
            "word": .string(word.found.text), "word_id": word.found.wordID,
            "kind": .string(word.found.trigger.kind.rawValue),
            "target": word.target.map { .string($0) } ?? .null,
            "p_value": .number(word.found.pValue),
            "size_before": .single(word.before),
            "size_after": word.after.map { .single($0) } ?? .null,
          ]
        }),
    ]
  }
}
