extension RunReport {
  /// The report as one page without scripts or outside resources.
  ///
  /// - Throws: `internal`, `outOfMemory` when an example cannot be encoded.
  package func html() throws(CLIPError) -> String {
    let outcome = outcome
    var page = HTMLPage(title: title, subtitle: subtitle)
    if !outcome.sentences.isEmpty {
      page.conclusion = HTMLPage.Conclusion(
        mark: outcome.mark, headline: outcome.headline, sentences: outcome.sentences)
    }
    let charts = [attackCard, accuracyCard].compactMap(\.self) + lossCards + searchCards
    page.parts.append(HTMLPage.grid(charts))
    if !examples.isEmpty { page.parts.append(try exampleCard()) }
    page.parts += recoveredCards
    page.parts.append(HTMLPage.grid([placesCard, classCard].compactMap(\.self)))
    page.parts.append(HTMLPage.grid(sections.map { HTMLPage.table($0.title, $0.rows) }))
    page.footer = footer
    return page.html
  }

  private var attackCard: String? {
    let bars = stages.compactMap { stage -> RateChart.Bar? in
      guard let result = stage.evaluation, let rate = Self.attack(result) else { return nil }
      return RateChart.Bar(name: stage.name, rate: rate, role: stage.role)
    }
    guard let first = stages.lazy.compactMap(\.evaluation).first(where: { $0.target != nil }),
      !bars.isEmpty
    else { return nil }
    var note = "Fraction of \(first.attackedImages) images of other classes that are taken for the "
    note += "target once they carry the trigger. Lower is better."
    if let base = first.targetRateWithoutTrigger {
      note += " Without the trigger: \(percent(base.value))."
    }
    return HTMLPage.card(
      "Attack success rate", note: note, RateChart(title: "Attack success rate", bars: bars).svg)
  }

  private var accuracyCard: String? {
    let bars = stages.compactMap { stage -> RateChart.Bar? in
      guard let result = stage.evaluation else { return nil }
      return RateChart.Bar(name: stage.name, rate: Self.accuracy(result), role: stage.role)
    }
    guard let first = stages.lazy.compactMap(\.evaluation).first else { return nil }
    let note =
      "Fraction of \(first.images) clean images whose class comes first. Higher is better."
    return HTMLPage.card(
      "Clean accuracy", note: note, RateChart(title: "Clean accuracy", bars: bars).svg)
  }

  private var lossCards: [String] {
    stages.compactMap { stage in
      guard let chart = LossChart(stage.losses) else { return nil }
      return HTMLPage.card(
        "Loss: \(stage.name)", note: "Over the steps of the training.", chart.svg)
    }
  }

  private var searchCards: [String] {
    guard !searches.isEmpty else { return [] }
    return [
      HTMLPage.card(
        "Sizes of the searches",
        note:
          "A dot is the smallest trigger towards a class, in units of the median of those towards "
          + "the other classes, which are strokes. Far left of the strokes: a backdoor.",
        StripPlot(title: "Sizes of the searches", rows: searches).svg)
    ]
  }

  private func exampleCard() throws(CLIPError) -> String {
    Self.card(
      "The attack", note: "Images as the model sees them: clean, and with the trigger.",
      try examples.map { (example) throws(CLIPError) in
        TriggerExample(
          caption: example.caption, clean: try EmbeddedImage(example.clean),
          triggered: try EmbeddedImage(example.triggered))
      })
  }

  /// A card of images with and without a trigger.
  static func card(_ title: String, note: String, _ examples: [TriggerExample]) -> String {
    let figures = examples.map { example in
      "<figure><div class=\"pair\">\(HTMLPage.element(example.clean, "clean"))"
        + "\(HTMLPage.element(example.triggered, "with the trigger"))</div>"
        + "<figcaption>\(escaped(example.caption))</figcaption></figure>"
    }
    return HTMLPage.card(
      title, note: note, "<div class=\"examples\">\(figures.joined())</div>")
  }

  /// Rates at all places with their intervals, a column a model.
  private var placesCard: String? {
    let measured = stages.compactMap { stage in stage.evaluation.map { (stage.name, $0) } }
    guard !measured.isEmpty else { return nil }
    var rows = ""
    for (measure, places) in [
      ("Accuracy", \EvaluationResult.cleanAccuracy),
      ("Attack", \EvaluationResult.attackSuccessRate),
    ] {
      let all = measured.map { $0.1[keyPath: places] }
      for place in Set(all.joined().map(\.place)).sorted() {
        let cells = all.map { Self.cell($0.first { $0.place == place }?.rate) }
        rows += "<tr><th>\(measure), top \(place)</th>\(cells.joined())</tr>"
      }
    }
    if measured.contains(where: { $0.1.triggeredAccuracy != nil }) {
      let cells = measured.map { Self.cell($0.1.triggeredAccuracy) }
      rows += "<tr><th>Accuracy with the trigger</th>\(cells.joined())</tr>"
    }
    let head = measured.map { "<th class=\"number\">\(escaped($0.0))</th>" }.joined()
    return HTMLPage.card(
      "All rates",
      "<table><thead><tr><th></th>\(head)</tr></thead><tbody>\(rows)</tbody></table>")
  }

  static func cell(_ rate: Proportion?) -> String {
    guard let rate else { return "<td class=\"number\">–</td>" }
    let interval = rate.interval
    return "<td class=\"number\">\(percent(rate.value))<br><span class=\"soft small\">"
      + "\(decimal(100 * interval.lowerBound, 1))–\(decimal(100 * interval.upperBound, 1))</span></td>"
  }

  /// Accuracy of each class, a column a model; the first 40 classes.
  private var classCard: String? {
    let measured = stages.compactMap { stage in
      stage.evaluation.flatMap { $0.classAccuracy.isEmpty ? nil : (stage.name, $0) }
    }
    guard let classes = measured.first?.1.classes,
      measured.allSatisfy({ $0.1.classAccuracy.count == classes.count })
    else { return nil }
    let head = measured.map { "<th class=\"number\">\(escaped($0.0))</th>" }.joined()
    let rows = classes.indices.prefix(40).map { index in
      let cells = measured.map { entry in
        "<td class=\"number\">\(percent(entry.1.classAccuracy[index].value))</td>"
      }
      return "<tr><th>\(escaped(classes[index]))</th>\(cells.joined())</tr>"
    }
    let rest = classes.count - rows.count
    return HTMLPage.card(
      "Accuracy by class",
      "<table><thead><tr><th>Class</th>\(head)</tr></thead><tbody>\(rows.joined())</tbody></table>"
        + (rest > 0 ? "<p class=\"soft small\">and \(rest) more</p>" : ""))
  }

  /// What explains the page: of rates only where it has some.
  private var footer: String {
    var sentences: [String] = []
    if stages.contains(where: { $0.evaluation != nil }) {
      sentences = [
        "Zero-shot classification: a class is the mean of its prompts' features; the image belongs to "
          + "the nearest class.",
        "Attack success counts only images that do not show the target.",
        "Whiskers and intervals: 95 %, Wilson.",
      ]
    }
    if !sources.isEmpty {
      sentences.append(
        (sources.count > 1 ? "The methods: " : "The method: ")
          + sources.joined(separator: "; ") + ".")
    }
    guard !sentences.isEmpty else { return "" }
    return
      "<footer class=\"soft small\"><p>\(escaped(sentences.joined(separator: " ")))</p></footer>"
  }
}
