import CleanCLIPKit
import Testing

@Suite struct RunReportTests {
  static func evaluation(_ correct: Int, _ fooled: Int) -> EvaluationResult {
    EvaluationResult(
      cleanAccuracy: [
        .init(place: 1, rate: Proportion(correct, of: 1000)),
        .init(place: 3, rate: Proportion(min(1000, correct + 60), of: 1000)),
      ],
      attackSuccessRate: [.init(place: 1, rate: Proportion(fooled, of: 900))],
      targetRateWithoutTrigger: Proportion(18, of: 900),
      classAccuracy: [Proportion(correct / 2, of: 500), Proportion(correct / 2, of: 500)],
      classes: ["circle", "star & <b>"], templateCount: 10, target: 1, trigger: "patch of 12x12 px")
  }

  static func report() -> RunReport {
    var report = RunReport(title: "Demo <script>alert('x')</script>")
    report.subtitle = "a \"subtitle\" \u{0}\u{7}"
    report.stages = [
      .init(.before, name: "poisoned", evaluation: evaluation(900, 890)),
      .init(
        .after, name: "CleanCLIP", evaluation: evaluation(890, 30),
        losses: (0..<500).map { step in
          let cross = 3 * 100 / (100 + Double(step)) + 0.2
          return .init(
            step: step + 1,
            losses: StepLosses(
              loss: step == 7 ? .nan : cross + 0.5, crossmodalLoss: cross, inmodalLoss: 0.5))
        }),
      .init(.control, name: "plain fine-tuning", evaluation: evaluation(905, 850)),
    ]
    report.examples = [
      .init(
        caption: "a circle", clean: RGBImage(width: 2, height: 2, red: 9),
        triggered: RGBImage(width: 2, height: 2, red: 99))
    ]
    report.sections = [.init("Settings", [("seed", "0"), ("<i>", "&")])]
    return report
  }

  @Test func pageHasNoMarkupFromOutsideAndNoResources() throws {
    let html = try Self.report().html()
    #expect(!html.contains("<script"))
    #expect(html.contains("Demo &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"))
    #expect(html.contains("star &amp; &lt;b&gt;"))
    #expect(html.contains("&lt;i&gt;"))
    #expect(!html.contains("\u{0}"))
    #expect(!html.contains("http://") && !html.contains("https://") && !html.contains("url("))
    #expect(!html.contains("nan"))
    #expect(html.utf8.count < 60_000)
  }

  @Test func examplesAreWhatTheModelSees() throws {
    var wide = RGBImage(width: 24, height: 8, green: 255)
    for row in 0..<8 { wide.pixels.replaceSubrange(72 * row..<72 * row + 3, with: [255, 0, 0]) }
    let dataset = try PairDataset([
      CaptionedImage(key: "a", image: .pixels(wide), caption: "", label: .index(0))
    ])
    let trigger = Trigger(
      patch: RGBImage(width: 2, height: 2, blue: 255), position: .at(y: 6, x: 6))
    func example(_ mode: ResizeMode) throws -> RunReport.Example? {
      var preprocessing = ImagePreprocessing()
      preprocessing.resizeMode = mode
      return try RunReport.examples(
        of: dataset, classes: ["thing"], trigger: trigger, target: nil, imageSize: 8,
        preprocessing: preprocessing
      ).first
    }
    #expect(try example(.shortest)?.clean.pixels.prefix(3) == [0, 255, 0])
    let squashed = try #require(try example(.squash))
    #expect(squashed.clean.pixels[0] > 60)
    #expect(squashed.triggered.pixels.suffix(3) == [0, 0, 255])
    #expect(try example(.longest)?.clean.pixels.prefix(3) == [0, 0, 0])
  }

  @Test func elementsAreClosed() throws {
    let html = try Self.report().html()
    for element in [
      "section", "div", "table", "tr", "td", "th", "svg", "figure", "p", "h2", "text",
    ] {
      let opened = html.split(separator: "<\(element)", omittingEmptySubsequences: false)
        .dropFirst().count { $0.first == ">" || $0.first == " " }
      let closed =
        html.split(separator: "</\(element)>", omittingEmptySubsequences: false).count - 1
      #expect(opened == closed, "\(element)")
    }
  }

  @Test func outcomesFollowTheNumbers() {
    func outcome(_ before: (Int, Int), _ after: (Int, Int)) -> RunReport.Outcome {
      var report = RunReport(title: "x")
      report.stages = [
        .init(.before, name: "before", evaluation: Self.evaluation(before.0, before.1)),
        .init(.after, name: "after", evaluation: Self.evaluation(after.0, after.1)),
      ]
      return report.outcome
    }
    #expect(outcome((900, 890), (890, 30)).mark == .good)
    #expect(outcome((900, 890), (890, 30)).headline == "The backdoor is removed")
    #expect(outcome((900, 890), (890, 80)).mark == .good)
    #expect(outcome((900, 890), (890, 80)).headline == "The backdoor is nearly removed")
    #expect(outcome((900, 890), (700, 30)).mark == .fair)
    #expect(outcome((900, 890), (890, 300)).mark == .fair)
    #expect(outcome((900, 890), (890, 700)).mark == .bad)
    #expect(outcome((900, 50), (890, 30)).mark == .neutral)
    #expect(
      outcome((900, 890), (890, 30)).sentences.first
        == "Images with the trigger were taken for “star & <b>” in 98.9 % of cases before, "
        + "3.3 % after; without the trigger, 2.0 % are.")
  }

  @Test func singleEvaluationsGetAVerdict() {
    var report = RunReport(title: "x")
    report.stages = [.init(.before, name: "model", evaluation: Self.evaluation(900, 890))]
    #expect(report.outcome.mark == .bad)
    report.stages = [.init(.before, name: "model", evaluation: Self.evaluation(900, 30))]
    #expect(report.outcome.mark == .good)
    #expect(RunReport(title: "x").outcome.mark == .neutral)
  }

  /// A page on a run without measured rates.
  @Test func aRunAloneIsTold() throws {
    func contents(_ losses: [Double], method: String = "cleanclip") throws -> ReportContents {
      let steps = losses.enumerated().map { index, loss -> JSONValue in
        ["step": .integer(index + 1), "loss": .number(loss)]
      }
      var contents = ReportContents()
      contents.history = try SanitizeHistory(
        json: [
          "settings": ["method": .string(method)], "steps": .array(steps),
          "cleaning_set": ["source": "check", "left_out": 0],
        ], name: "history")
      return contents
    }
    let run = try contents([3, 2.5])
    let told = try run.report()
    #expect(told.outcome.headline == "CleanCLIP has run to its end")
    #expect(
      told.outcome.sentences.prefix(2) == [
        "The loss went from 3.000 to 2.500 in 2 steps.",
        "The pairs were looked at, and none is left out.",
      ])
    let page = try told.html()
    #expect(page.contains("The method: Bansal et al., CleanCLIP, ICCV 2023."))
    #expect(!page.contains("Zero-shot") && !page.contains("Attack success counts"))
    #expect(!(try contents([], method: "unlearn").report().html()).contains("Bansal"))
    #expect(try Self.report().html().contains("Attack success counts only images"))
    var stopped = run
    stopped.history?.isComplete = false
    let end = try stopped.report().outcome
    #expect(end.headline == "CleanCLIP (run not completed)")
    #expect(end.sentences.contains("It stopped after step 2."))
    let dot = try contents([3]).report().html()
    #expect(
      dot.contains("<circle class=\"curve total\"") && dot.contains("The loss of its one step"))
  }

  @Test func jsonHoldsTheNumbers() throws {
    var report = Self.report()
    // JSON readers refuse NUL characters.
    report.subtitle = "\u{1}\n\"é"
    let text = report.json.serialized()
    let parsed = try JSONValue.parse(text, name: "report")
    let stages = parsed["stages"]?.array ?? []
    #expect(stages.count == 3)
    #expect(stages[1]["evaluation"]?["attack_success_rate"]?["top1"]?.double == 30.0 / 900)
    #expect(stages[1]["losses"]?.array?.count == 500)
    #expect(stages[1]["losses"]?.array?[7]["loss"] == .null)
    #expect(parsed["outcome"]?["mark"]?.string == "good")
    #expect(parsed["settings"]?["Settings"]?["seed"]?.string == "0")
  }

  @Test func emptyReportsAreWritten() throws {
    let folder = TemporaryFolder()
    try RunReport(title: "nothing").write(to: folder.file("a.html"))
    try RunReport(title: "nothing").write(to: folder.file("a.json"))
    #expect(folder.names == ["a.html", "a.json"])
  }

  @Test func evaluationKeysAreTheDocumentedOnes() {
    let json = Self.evaluation(733, 30).json
    #expect(json["clean_accuracy"]?["top1"]?.double == 0.733)
    #expect(json["attack_success_rate"]?["top1"]?.double == 30.0 / 900)
    #expect(json["images"]?.integer == 1000)
    #expect(json["attacked_images"]?.integer == 900)
    #expect(json["intervals_95"]?["clean_accuracy"]?["top1"]?.array?.count == 2)
    var clean = Self.evaluation(733, 30)
    clean.attackSuccessRate = []
    #expect(clean.json["attack_success_rate"] == nil)
    #expect(clean.json["attacked_images"]?.integer == 0)
  }
}
