import CleanCLIPKit
import Testing

/// Sizes of searches in reports of methods that search.
@Suite struct SearchSizesTests {
  private static func html(_ outcome: JSONObject) throws -> String {
    var contents = ReportContents()
    var history = SanitizeHistory()
    history.settings = ["method": "unlearn"]
    history.outcome = outcome
    contents.history = history
    return try contents.report().html()
  }

  private static func search(_ kind: String, _ target: String, _ size: Double) -> JSONValue {
    ["kind": .string(kind), "target": .string(target), "size": .number(size)]
  }

  private static let searches: JSONValue = [
    search("patch", "cat", 0.1), search("patch", "dog", 0.2), search("patch", "<truck>", 0.01),
    search("patch", "ship", 0.4), search("warp", "cat", 3), search("warp", "<truck>", 4),
  ]

  private static func count(_ part: String, in text: String) -> Int {
    text.split(separator: part, omittingEmptySubsequences: false).count - 1
  }

  @Test func suspectsAreMarkedAgainstTheOtherClasses() throws {
    let page = try Self.html([
      "searches": Self.searches, "suspects": [["target": "<truck>", "p_value": 0.001]],
    ])
    #expect(page.contains("Sizes of the searches"))
    #expect(
      page.contains("patch towards &lt;truck&gt;") && page.contains("warp towards &lt;truck&gt;"))
    #expect(Self.count("<circle class=\"bad\"", in: page) == 2)
    // Three other patches and one other warp.
    #expect(Self.count("<path class=\"reference\"", in: page) == 4)
    // The patch is a twentieth of the median, 0.2: left of every stroke.
    let circle = try #require(
      page.split(separator: "<circle class=\"bad\" cx=\"").dropFirst().first)
    let strokes = page.split(separator: "<path class=\"reference\" d=\"M").dropFirst()
      .compactMap { Double($0.prefix { $0 != " " }) }
    let place = try #require(Double(circle.prefix { $0 != "\"" }))
    #expect(strokes.count == 4 && strokes.allSatisfy { $0 > place + 100 && $0 < 560 })
    #expect(place > 0)
  }

  @Test func searchesWithoutATargetAreShownAgainstTheirOwnReferences() throws {
    guard case .array(var searches) = Self.searches else { return }
    searches.append([
      "kind": "patch", "target": "dog", "size": 0.02, "is_targeted": false,
      "reference_sizes": [0.2, 0.3],
    ])
    let page = try Self.html([
      "searches": .array(searches), "suspects": [["target": "dog", "p_value": 0.001]],
    ])
    #expect(page.contains("patch without a target, to dog"))
    #expect(Self.count("<circle class=\"bad\"", in: page) == 2)
    // Three other patches and one other warp, and the two of its own.
    #expect(Self.count("<path class=\"reference\"", in: page) == 6)
  }

  @Test func withoutSuspectsTheSmallestIsShown() throws {
    let page = try Self.html(["searches": Self.searches])
    #expect(Self.count("<circle class=\"neutral\"", in: page) == 2)
    #expect(page.contains("patch towards &lt;truck&gt;") && page.contains("warp towards cat"))
  }

  @Test(
    arguments: [
      ["searches": "many"],
      ["searches": [["kind": "patch"], 3, ["kind": 1, "target": 2, "size": 3]]],
      ["searches": [["kind": "patch", "target": "cat", "size": 0.1]]],
      [
        "searches": [
          ["kind": "patch", "target": "cat", "size": 0.0],
          ["kind": "patch", "target": "dog", "size": -1],
        ]
      ],
      [:],
    ] as [JSONObject])
  func outcomesOfAnotherFormHaveNoPlot(outcome: JSONObject) throws {
    #expect(!(try Self.html(outcome)).contains("Sizes of the searches"))
  }

  @Test func settingsSayWhatWasMeasuredWithWhat() throws {
    var contents = ReportContents()
    contents.version = "9.8.7"
    contents.before = RunReportTests.evaluation(900, 890)
    contents.model = ["files": [["path": "clip.onnx", "sha256": "abcd"]], "embed_dim": 64]
    let page = try contents.report().html()
    for part in ["9.8.7", "patch of 12x12 px", "star &amp; &lt;b&gt;", "clip.onnx", "abcd"] {
      #expect(page.contains(">\(part)</td>"), "\(part)")
    }
  }
}
