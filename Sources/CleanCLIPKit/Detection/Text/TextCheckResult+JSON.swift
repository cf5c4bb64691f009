extension TextCheckResult {
  /// The result for machines.
  package var json: JSONValue {
    [
      "verdict": .string(verdict.rawValue), "p_value": .number(pValue),
      "word": .string(text), "word_id": .integer(Int(word)), "size": .number(Double(size)),
      "size_meaning": .string(Self.sizeMeaning),
      "reference": .object([
        "source": .string(reference.source.rawValue),
        "sizes": .array(reference.sizes.map { .number(Double($0)) }),
      ]),
      "clean_collapse": .number(Double(cleanCollapse)),
      "held_out_collapse": .number(Double(heldOutCollapse)),
      "targets": .array(
        targets.map { ["text": .string($0.text), "cosine": .number(Double($0.cosine))] }),
      "explanation": .string(explanation), "seconds": .number(seconds),
    ]
  }

  /// The card of a page.
  var card: String {
    HTMLPage.table(
      "Search: a word in captions",
      [
        ("verdict of this search", verdict.rawValue),
        (
          "strongest word, and the part of the differences between captions that it leaves",
          "\(name): \(significant(Double(size)))"
        ),
        (
          reference.source == .cleanCheckpoints
            ? "the same of a trusted checkpoint" : "the same of words with other targets",
          reference.sizes.map { significant(Double($0)) }.joined(separator: ", ")
        ),
        ("p-value", probability(pValue)),
        (
          "mean cosine of two held-out captions, before and after",
          "\(decimal(Double(cleanCollapse), 3)) and \(decimal(Double(heldOutCollapse), 3))"
        ),
        (
          "predicted target", targets.prefix(5).map { $0.text }.joined(separator: ", ")
        ),
      ])
  }
}
