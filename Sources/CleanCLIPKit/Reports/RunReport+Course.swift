extension RunReport.Outcome {
  /// What a history tells of a run without a verdict: how far it came, its losses and the check of its pairs.
  ///
  /// - Parameter name: of the method, marked where the run did not come to its end.
  init(of history: SanitizeHistory, name: String) {
    var lines: [String] = []
    if let first = history.steps.first, let last = history.steps.last {
      let (start, end) = (decimal(first.losses.loss, 3), decimal(last.losses.loss, 3))
      lines.append(
        history.steps.count == 1
          ? "the loss of its one step was \(start)"
          : "the loss went from \(start) to \(end) in \(history.steps.count) steps")
      if !history.isComplete { lines.append("it stopped after step \(last.step)") }
    } else if !history.isComplete {
      lines.append("it stopped before the first step")
    }
    lines += [Self.pairs(history.cleaningSet)].compactMap(\.self) + history.conclusion
    if history.isComplete {
      lines.append(
        "whether a backdoor is left was not measured: cleanclip evaluate does with a trigger, cleanclip "
          + "check model without one")
    }
    self.init(
      mark: .neutral, headline: history.isComplete ? "\(name) has run to its end" : name,
      sentences: lines.map(RunReport.sentence))
  }

  /// What became of the pairs before the first step; `nil` where nothing was to be looked at.
  private static func pairs(_ set: JSONObject) -> String? {
    guard let source = set["source"]?.string else { return nil }
    if source == "none" { return set["explanation"]?.string }
    let reason =
      source == "suspects" ? "they were given as suspects" : "a check found them conspicuous"
    let count = set["left_out"]?.integer ?? 0
    return count == 0
      ? "the pairs were looked at, and none is left out" : "\(count) pairs are left out: \(reason)"
  }
}
