/// The parts of a report on a sanitized model, each of which may be missing.
package struct ReportContents {
  package var title = "CleanCLIP report"
  package var subtitle = ""
  /// Of the program that writes the report.
  package var version = ""
  /// What `LoadedModel.description()` tells.
  package var model: JSONValue?
  package var before: EvaluationResult?
  package var after: EvaluationResult?
  /// Another way to treat the same model, such as plain fine-tuning.
  package var control: EvaluationResult?
  package var history: SanitizeHistory?
  package var controlHistory: SanitizeHistory?
  /// Images with and without the trigger.
  package var examples: [RunReport.Example] = []

  package init() {}

  /// The report.
  ///
  /// - Throws: `invalidArgument` for evaluations of different measurements.
  package func report() throws(CLIPError) -> RunReport {
    try checkAlike()
    var report = RunReport(title: title)
    report.subtitle = subtitle
    report.examples = examples
    if let before {
      report.stages.append(RunReport.Stage(.before, name: "Before", evaluation: before))
    }
    if after != nil || history != nil {
      report.stages.append(
        RunReport.Stage(
          .after, name: Self.name(history, "Sanitized"), evaluation: after,
          losses: Self.losses(history)))
    }
    if control != nil || controlHistory != nil {
      report.stages.append(
        RunReport.Stage(
          .control, name: Self.name(controlHistory, Self.plain), evaluation: control,
          losses: Self.losses(controlHistory)))
    }
    if let model = model?.object {
      report.sections.append(
        RunReport.Section("Model", Self.rows(model) + Self.checksums(model["files"])))
    }
    if let history {
      let outcome = Self.rows(history.outcome)
      if !outcome.isEmpty { report.sections.append(RunReport.Section("Outcome", outcome)) }
      let cleaningSet = Self.rows(history.cleaningSet)
      if !cleaningSet.isEmpty {
        report.sections.append(RunReport.Section("Check of the pairs", cleaningSet))
      }
      report.sections.append(RunReport.Section("Settings", Self.rows(history.settings)))
      report.searches = SearchSizes(history.outcome).rows
      report.verdict = history.isComplete ? history.verdict : nil
      report.conclusion = history.conclusion
      if report.verdict == nil {
        report.course = RunReport.Outcome(of: history, name: Self.name(history, "Sanitized"))
      }
      report.recovered = RecoveredTrigger.all(of: history.outcome)
      report.recoveredExamples = history.examples
    }
    for method in [history, controlHistory].compactMap({ $0.flatMap(Self.method) }) {
      if let source = method.source, !report.sources.contains(source) {
        report.sources.append(source)
      }
    }
    let measurement = (before ?? after ?? control).map(Self.measurement) ?? []
    let program = version.isEmpty ? [] : [("version", version)]
    if !(measurement + program).isEmpty {
      report.sections.append(RunReport.Section("Measurement", measurement + program))
    }
    return report
  }

  /// Refuses evaluations of different measurements beside one another: their difference would say nothing of the
  /// models.
  ///
  /// - Throws: `invalidArgument` naming what differs.
  private func checkAlike() throws(CLIPError) {
    let results = [("before", before), ("after", after), ("control", control)]
      .compactMap { name, result in result.map { (name, $0) } }
    guard let (first, expected) = results.first else { return }
    for (name, result) in results.dropFirst() {
      let facts = [
        ("classes", "\(expected.classes)", "\(result.classes)"),
        ("target", Self.target(expected), Self.target(result)),
        ("trigger", expected.trigger ?? "none", result.trigger ?? "none"),
        (
          "number of images", "\(expected.images + expected.skipped)",
          "\(result.images + result.skipped)"
        ),
      ]
      guard let (what, wanted, got) = facts.first(where: { $0.1 != $0.2 }) else { continue }
      throw CLIPError(
        .invalidArgument,
        "report: \(first) and \(name) are of different measurements; expected the same \(what), got "
          + "\(wanted.prefix(200)) and \(got.prefix(200)); evaluate both models alike")
    }
  }

  private static func target(_ result: EvaluationResult) -> String {
    result.target.map { result.classes.indices.contains($0) ? "'\(result.classes[$0])'" : "\($0)" }
      ?? "none"
  }

  /// What is worth knowing of the report, in sentences for people.
  package var notices: [String] {
    [history, controlHistory].compactMap(\.self).filter { !$0.isComplete }.map {
      "report: a run did not come to its end; it stopped after step \($0.steps.last?.step ?? 0), and "
        + "the page says so"
    }
  }

  private static let plain = "Plain fine-tuning"

  /// Marks the run in every heading and legend.
  private static func mark(_ history: SanitizeHistory?) -> String {
    history?.isComplete == false ? " (run not completed)" : ""
  }

  private static func method(_ history: SanitizeHistory) -> SanitizeMethod? {
    let name = history.settings["method"]?.string
    return SanitizeMethod.all.first { $0.name == name }
  }

  private static func name(_ history: SanitizeHistory?, _ other: String) -> String {
    let method = history.flatMap(method)
    // The method without the loss that makes it one.
    let isPlain =
      method?.name == SanitizeMethod.cleanclip.name
      && history?.settings["inmodal_weight"]?.double == 0
    return (isPlain ? plain : method?.title ?? other) + mark(history)
  }

  /// What rates were measured with.
  private static func measurement(_ result: EvaluationResult) -> [(name: String, value: String)] {
    var rows = [("images", "\(result.images)"), ("classes", "\(result.classes.count)")]
    if result.templateCount > 0 { rows.append(("prompts of a class", "\(result.templateCount)")) }
    if let target = result.target, result.classes.indices.contains(target) {
      rows.append(("target", result.classes[target]))
    }
    if let trigger = result.trigger { rows.append(("trigger", trigger)) }
    return rows + [("seed", "\(result.seed)")]
  }

  private static func checksums(_ files: JSONValue?) -> [(name: String, value: String)] {
    (files?.array ?? []).flatMap { file in
      ["path", "sha256"].compactMap { key in file[key]?.string.map { ("file, " + key, $0) } }
    }
  }

  private static func losses(_ history: SanitizeHistory?) -> [RunReport.LossPoint] {
    history?.steps.map { RunReport.LossPoint(step: $0.step, losses: $0.losses) } ?? []
  }

  /// The scalar members, those of inner objects with both names.
  private static func rows(
    _ object: JSONObject, prefix: String = ""
  ) -> [(name: String, value: String)] {
    object.flatMap { (key, value) -> [(name: String, value: String)] in
      let name = prefix + key.split(separator: "_").joined(separator: " ")
      if let inner = value.object { return rows(inner, prefix: name + ", ") }
      guard value.array == nil, value != .null else { return [] }
      return [(name, value.string ?? value.serialized())]
    }
  }
}
