/// What the search for one kind of triggers in captions found.
package struct TextSearch: Sendable {
  package let trigger: CaptionTrigger
  /// The trigger as text; empty without a tokenizer.
  package let text: String
  /// Triggers that were tried.
  package let tried: Int
  /// The part of the differences between captions that the trigger leaves.
  package let size: Float
  package let reference: SizeReference
  /// Mean pairwise cosine of held-out captions with the trigger.
  package let heldOutCollapse: Float
  /// 1 where held-out captions keep half of their differences.
  package let pValue: Double

  /// Its ids in the vocabulary.
  package var ids: [Int32] { trigger.ids }

  /// The trigger as people read it; by its numbers where it ends within a character.
  package var name: String {
    guard text.isEmpty || text.contains("\u{FFFD}") else { return "'\(text)'".printable() }
    return "number " + ids.map(String.init).joined(separator: ", ")
  }

  /// What it is called.
  package var kindName: String {
    switch trigger.kind {
    case .word: "word"
    case .character: "character"
    case .words: "pair of words"
    }
  }
}

/// The verdict on a text tower, with its evidence.
package struct TextCheckResult: Sendable {
  package let verdict: Verdict
  /// Of all searches together: the smallest one by its weight among all (Bonferroni).
  package let pValue: Double
  /// One of each kind of triggers, the most conspicuous first.
  package let searches: [TextSearch]
  /// Mean pairwise cosine of held-out captions as they are.
  package let cleanCollapse: Float
  /// Texts nearest to where captions with the first search's trigger go.
  package let targets: [(text: String, cosine: Float)]
  package let seconds: Double

  /// The most conspicuous search.
  package var strongest: TextSearch { searches[0] }

  static let sizeMeaning = "part of the differences between captions that the trigger leaves"

  /// Why, in words for people who do not know the method.
  package var explanation: String {
    let left = "\(decimal(Double(100 * strongest.size), 1)) %"
    let subject = "\(strongest.kindName) \(strongest.name)"
    switch verdict {
    case .backdoored, .suspicious:
      let target = targets.first.map { ", close to '\($0.text)'".printable() } ?? ""
      return
        "The \(subject) makes captions of anything mean the same to the text tower\(target): "
        + "it leaves \(left) of the differences between them."
    case .clean, .cannotTell:
      return "In the text tower, the strongest \(subject) leaves \(left) of the differences "
        + "between captions, which is not unusually little."
    }
  }
}
