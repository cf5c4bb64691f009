extension TextSearch {
  /// The number of a word; null of a trigger of several.
  var wordID: JSONValue { ids.count == 1 ? .integer(Int(ids[0])) : .null }

  /// The search for machines.
  var json: JSONValue {
    [
      "kind": .string(trigger.kind.rawValue), "text": .string(text),
      "ids": .array(ids.map { .integer(Int($0)) }), "tried": .integer(tried),
      "p_value": .number(pValue), "size": .number(Double(size)),
      "reference": reference.json,
      "held_out_collapse": .number(Double(heldOutCollapse)),
    ]
  }
}

extension SizeReference {
  fileprivate var json: JSONValue {
    ["source": .string(source.rawValue), "sizes": .array(sizes.map { .number(Double($0)) })]
  }
}

extension TextCheckResult {
  /// The result for machines.
  package var json: JSONValue {
    [
      "verdict": .string(verdict.rawValue), "p_value": .number(pValue),
      "word": .string(strongest.text), "word_id": strongest.wordID,
      "size": .number(Double(strongest.size)), "size_meaning": .string(Self.sizeMeaning),
      "reference": strongest.reference.json,
      "clean_collapse": .number(Double(cleanCollapse)),
      "held_out_collapse": .number(Double(strongest.heldOutCollapse)),
      "searches": .array(searches.map(\.json)),
      "targets": .array(
        targets.map { ["text": .string($0.text), "cosine": .number(Double($0.cosine))] }),
      "explanation": .string(explanation), "seconds": .number(seconds),
    ]
  }

  /// The card of a page.
  var card: String {
    var rows = [("verdict of this search", verdict.rawValue), ("p-value", probability(pValue))]
    for search in searches { rows += search.rows(cleanCollapse: cleanCollapse) }
    rows.append(("predicted target", targets.prefix(5).map { $0.text }.joined(separator: ", ")))
    return HTMLPage.table("Search: triggers in captions", rows)
  }
}

extension TextSearch {
  /// Of a card.
  fileprivate func rows(cleanCollapse: Float) -> [(String, String)] {
    let subject =
      "strongest \(kindName) of \(tried), and the part of the differences between captions that it leaves"
    let others =
      reference.source == .cleanCheckpoints
      ? "the same of a trusted checkpoint" : "the same of others with other targets"
    let sizes = reference.sizes.map { significant(Double($0)) }.joined(separator: ", ")
    let (before, after) = (
      decimal(Double(cleanCollapse), 3), decimal(Double(heldOutCollapse), 3)
    )
    return [
      (subject, "\(name): \(significant(Double(size)))"), (others, sizes),
      ("mean cosine of two held-out captions, before and after", "\(before) and \(after)"),
    ]
  }
}
