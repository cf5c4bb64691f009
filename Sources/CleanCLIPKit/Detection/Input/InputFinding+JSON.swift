extension InputFinding {
  /// The finding for machines.
  package func json(key: String) -> JSONValue {
    [
      "key": .string(key), "score": .number(Double(score)), "p_value": .number(pValue),
      "flagged": .bool(isFlagged), "density": .number(Double(signals.density)),
      "length": .number(Double(signals.length)), "contrast": .number(Double(signals.contrast)),
      "residual": .number(Double(signals.residual)),
    ]
  }
}
