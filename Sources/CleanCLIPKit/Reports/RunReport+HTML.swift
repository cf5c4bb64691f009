extension RunReport {
  /// The report as one page without scripts or outside resources.
  ///
  /// - Throws: `internal`, `outOfMemory` when an example cannot be encoded.
  package func html() throws(CLIPError) -> String {
    var body = "<header><h1>\(escaped(title))</h1>"
    if !subtitle.isEmpty { body += "<p class=\"soft\">\(escaped(subtitle))</p>" }
    body += "</header>" + verdictCard
    let charts = [attackCard, accuracyCard].compactMap(\.self) + lossCards
    body += Self.grid(charts)
    if !examples.isEmpty { body += try exampleCard() }
    body += Self.grid([placesCard, classCard].compactMap(\.self))
    body += Self.grid(sections.map(Self.card))
    body += footer
    return htmlPage(title: title, style: ReportStyle.css, body: body)
  }

  private static func grid(_ cards: [String]) -> String {
    cards.isEmpty ? "" : "<div class=\"grid2\">" + cards.joined() + "</div>\n"
  }

  private var verdictCard: String {
    let verdict = verdict
    guard !verdict.sentences.isEmpty else { return "" }
    return "<section class=\"card verdict \(verdict.mark.rawValue)\">"
      + "<h2>\(escaped(verdict.headline))</h2>"
      + verdict.sentences.map { "<p>\(escaped($0))</p>" }.joined() + "</section>\n"
  }

  private var attackCard: String? {
    let bars = stages.compactMap { stage -> ShareChart.Bar? in
      guard let result = stage.evaluation, let share = Self.attack(result) else { return nil }
      return ShareChart.Bar(name: stage.name, share: share, role: stage.role)
    }
    guard let first = stages.lazy.compactMap(\.evaluation).first(where: { $0.target != nil }),
      !bars.isEmpty
    else { return nil }
    var note = "Share of \(first.attackedImages) images of other classes that are taken for the "
    note += "target once they carry the trigger. Lower is better."
    if let base = first.targetRateWithoutTrigger {
      note += " Without the trigger: \(percent(base.value))."
    }
    return Self.chartCard(
      "Attack success rate", note, ShareChart(title: "Attack success rate", bars: bars).svg)
  }

  private var accuracyCard: String? {
    let bars = stages.compactMap { stage -> ShareChart.Bar? in
      guard let result = stage.evaluation else { return nil }
      return ShareChart.Bar(name: stage.name, share: Self.accuracy(result), role: stage.role)
    }
    guard let first = stages.lazy.compactMap(\.evaluation).first else { return nil }
    let note =
      "Share of \(first.images) clean images whose class comes first. Higher is better."
    return Self.chartCard(
      "Clean accuracy", note, ShareChart(title: "Clean accuracy", bars: bars).svg)
  }

  private var lossCards: [String] {
    stages.compactMap { stage in
      guard let chart = LossChart(stage.losses) else { return nil }
      return Self.chartCard("Loss: \(stage.name)", "Over the steps of the training.", chart.svg)
    }
  }

  private static func chartCard(_ title: String, _ note: String, _ chart: String) -> String {
    "<section class=\"card\"><h2>\(escaped(title))</h2>"
      + "<p class=\"soft small\">\(escaped(note))</p>\(chart)</section>\n"
  }

  private func exampleCard() throws(CLIPError) -> String {
    var figures = ""
    for example in examples {
      figures +=
        "<figure><div class=\"pair\">\(try Self.image(example.clean, "clean"))"
        + "\(try Self.image(example.triggered, "with the trigger"))</div>"
        + "<figcaption>\(escaped(example.caption))</figcaption></figure>"
    }
    return "<section class=\"card\" style=\"margin-bottom:18px\"><h2>The attack</h2>"
      + "<p class=\"soft small\">Images as the model sees them: clean, and with the trigger.</p>"
      + "<div class=\"examples\">\(figures)</div></section>\n"
  }

  private static func image(_ image: RGBImage, _ name: String) throws(CLIPError) -> String {
    "<img alt=\"\(escaped(name))\" src=\"data:image/png;base64,"
      + base64(try ImageEncoder.png(image)) + "\">"
  }

  /// Shares at all places with their intervals, a column a model.
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
        let cells = all.map { Self.cell($0.first { $0.place == place }?.share) }
        rows += "<tr><th>\(measure), top \(place)</th>\(cells.joined())</tr>"
      }
    }
    let head = measured.map { "<th class=\"number\">\(escaped($0.0))</th>" }.joined()
    return
      "<section class=\"card\"><h2>All shares</h2><table><thead><tr><th></th>\(head)</tr></thead>"
      + "<tbody>\(rows)</tbody></table></section>\n"
  }

  private static func cell(_ share: Proportion?) -> String {
    guard let share else { return "<td class=\"number\">–</td>" }
    let interval = share.interval
    return "<td class=\"number\">\(percent(share.value))<br><span class=\"soft small\">"
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
    return
      "<section class=\"card\"><h2>Accuracy by class</h2><table><thead><tr><th>Class</th>\(head)"
      + "</tr></thead><tbody>\(rows.joined())</tbody></table>"
      + (rest > 0 ? "<p class=\"soft small\">and \(rest) more</p>" : "") + "</section>\n"
  }

  private static func card(_ section: Section) -> String {
    let rows = section.rows.map {
      "<tr><th>\(escaped($0.name))</th><td>\(escaped($0.value))</td></tr>"
    }
    return "<section class=\"card\"><h2>\(escaped(section.title))</h2><table><tbody>"
      + rows.joined() + "</tbody></table></section>\n"
  }

  private var footer: String {
    """
    <footer class="soft small"><p>Zero-shot classification: a class is the mean of its prompts' \
    features; the image belongs to the nearest class. Attack success counts only images that do \
    not show the target. Whiskers and intervals: 95 %, Wilson. The method: Bansal et al., CleanCLIP, \
    ICCV 2023.</p></footer>
    """
  }
}
