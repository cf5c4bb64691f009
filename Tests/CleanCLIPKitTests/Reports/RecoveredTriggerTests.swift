import CleanCLIPKit
import Testing

/// What a report tells of a method that looks for a backdoor itself.
@Suite struct RecoveredTriggerTests {
  private static func history() throws -> SanitizeHistory {
    var history = SanitizeHistory()
    history.settings = ["method": "unlearn"]
    history.isComplete = true
    history.verdict = .removed
    history.conclusion = ["images are led to 'truck' (p = 0.001)"]
    history.outcome = [
      "verdict": "removed",
      "triggers": [
        [
          "family": "patch", "target": "truck <b>", "attack_success_rate_before": 0.99,
          "attack_success_rate_after": 0.02, "base_rate": 0.03, "is_sign": true,
        ],
        ["family": "warp", "target": "truck", "attack_success_rate_before": 0.6, "is_sign": false],
        ["family": "wave"],
      ],
    ]
    let image = try EmbeddedImage(RGBImage(width: 2, height: 2, red: 9))
    history.examples = [TriggerExample(caption: "patch & more", clean: image, triggered: image)]
    return history
  }

  private static func page(_ history: SanitizeHistory) throws -> RunReport {
    var contents = ReportContents()
    contents.history = history
    return try contents.report()
  }

  @Test func theVerdictIsTheHeadlineWhereNoAttackWasMeasured() throws {
    let history = try SanitizeHistory(json: try Self.history().json, name: "history")
    let report = try Self.page(history)
    #expect(report.outcome.headline == "A backdoor was found and removed")
    #expect(report.outcome.mark == .good)
    #expect(report.outcome.sentences == ["Images are led to 'truck' (p = 0.001)."])
    let html = try report.html()
    #expect(html.contains("patch towards “truck &lt;b&gt;”"))
    #expect(html.contains("patch &amp; more"))
    #expect(html.contains("warp towards “truck” *"))
    #expect(html.split(separator: "data:image/png;base64,").count == 3)
  }

  @Test func aMeasuredAttackComesFirst() throws {
    var contents = ReportContents()
    contents.history = try Self.history()
    contents.before = RunReportTests.evaluation(900, 890)
    contents.after = RunReportTests.evaluation(890, 800)
    let outcome = try contents.report().outcome
    #expect(outcome.headline == "The backdoor is still there")
    #expect(
      outcome.sentences.contains { $0.contains("own verdict: A backdoor was found and removed") })
  }

  @Test func aRunThatDidNotEndHasNoVerdict() throws {
    var history = try Self.history()
    history.isComplete = false
    #expect(try Self.page(history).outcome.mark == .neutral)
  }

  @Test func imagesOfAHistoryAreDataOnly() throws {
    let image = try EmbeddedImage(RGBImage(width: 1, height: 1))
    #expect(EmbeddedImage(base64: image.base64) == image)
    for text in ["", "iVBORw0KGgo\"><script>", "R0lGODlhAQABAAAAACw=", "iVBORw0KGgo é"] {
      #expect(EmbeddedImage(base64: text) == nil)
    }
  }
}
