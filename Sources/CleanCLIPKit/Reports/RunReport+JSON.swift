extension RunReport {
  /// The report for machines; images are left out.
  package var json: JSONValue {
    var object: JSONObject = ["title": .string(title)]
    if !subtitle.isEmpty { object["subtitle"] = .string(subtitle) }
    let outcome = outcome
    object["outcome"] = [
      "mark": .string(outcome.mark.rawValue), "headline": .string(outcome.headline),
      "sentences": .array(outcome.sentences.map { .string($0) }),
    ]
    object["stages"] = .array(stages.map(Self.json))
    var facts = JSONObject()
    for section in sections {
      var rows = JSONObject()
      for row in section.rows { rows[row.name] = .string(row.value) }
      facts[section.title] = .object(rows)
    }
    object["settings"] = .object(facts)
    return .object(object)
  }

  private static func json(_ stage: Stage) -> JSONValue {
    var object: JSONObject = [
      "role": .string(stage.role.rawValue), "name": .string(stage.name),
    ]
    if let evaluation = stage.evaluation { object["evaluation"] = evaluation.json }
    if !stage.losses.isEmpty {
      object["losses"] = .array(
        stage.losses.map { point in
          [
            "step": .integer(point.step), "loss": number(point.losses.loss),
            "crossmodal_loss": number(point.losses.crossmodalLoss),
            "inmodal_loss": number(point.losses.inmodalLoss),
          ]
        })
    }
    return .object(object)
  }

  /// JSON has no NaN.
  private static func number(_ value: Double) -> JSONValue {
    value.isFinite ? .number(value) : .null
  }
}
