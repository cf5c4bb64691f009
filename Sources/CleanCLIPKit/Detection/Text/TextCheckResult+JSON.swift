extension TextCheckResult {
  /// The result for machines.
  package var json: JSONValue {
    [
      "verdict": .string(verdict.rawValue), "p_value": .number(pValue),
      "size": size.map { .number(Double($0)) } ?? .null,
      "size_meaning": "length of the token over the median of the vocabulary",
      "reference": .object([
        "source": .string(reference.source.rawValue),
        "sizes": .array(reference.sizes.map { .number(Double($0)) }),
      ]),
      "clean_collapse": .number(Double(cleanCollapse)),
      "held_back_collapse": .number(Double(heldBackCollapse)),
      "nearest_tokens": .array(
        nearestTokens.map { ["id": .integer(Int($0.id)), "cosine": .number(Double($0.cosine))] }),
      "targets": .array(
        targets.map { ["text": .string($0.text), "cosine": .number(Double($0.cosine))] }),
      "seconds": .number(seconds),
    ]
  }
}
