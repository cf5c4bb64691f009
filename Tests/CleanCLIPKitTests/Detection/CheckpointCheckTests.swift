import CleanCLIPKit
import Testing

@Suite struct CheckpointCheckTests {
  private func check(
    _ model: CLIPModel, _ change: (inout CheckpointCheck) -> Void = { _ in }
  ) -> CheckpointCheck {
    var check = CheckpointCheck(LoadedModel(model))
    check.options.search.steps = 12
    check.options.search.batchSize = 6
    check.options.imageLimit = 24
    check.options.referenceSearches = 2
    change(&check)
    return check
  }

  @Test func findsWhatTheImageCheckFinds() throws {
    let model = try tinyModel()
    let check = check(model)
    var towers = ModelCheck(model)
    towers.options = check.options
    let alone = try towers.run(images: nil) { _ in true }
    let result = try check.run { _ in true }
    #expect(result.json["findings"] == alone.json["findings"])
    #expect(result.findings.map(\.kind) == TriggerKind.all.map(\.name))
    for (finding, search) in zip(result.findings, result.imageFindings) {
      #expect(finding.size == search.search.size && finding.pValue == search.pValue)
      #expect(finding.trigger?.recovered == search.search.trigger)
    }
  }

  @Test func filesAreToldWithTheirHashes() throws {
    let folder = TemporaryFolder()
    let path = folder.file("model.safetensors")
    try LoadedModel(try tinyModel()).save(to: path)
    var check = CheckpointCheck(try LoadedModel.load(path))
    check.options = self.check(try tinyModel()).options
    let result = try check.run { _ in true }
    let file = try #require(result.files.first)
    #expect(file["path"]?.string == path)
    let bytes = try withExtendedLifetime(try FileContents(path)) { Array($0.bytes) }
    #expect(file["sha256"]?.string == SHA256.hash(of: bytes))
    #expect(
      try result.html(model: path, version: "").contains(try #require(file["sha256"]?.string)))
  }

  @Test(arguments: [(32, true), (96, true), (112, false), (224, false)])
  func modelsBeyondTheMeasuredAreToldSo(imageSize: Int, isWithin: Bool) {
    let configuration = CLIPConfiguration(
      embedDim: 6,
      vision: .resNet(
        ModifiedResNetConfiguration(
          imageSize: imageSize, width: 2, layers: [1, 1, 1, 1], heads: 2, batchNorm: .folded)),
      text: nil)
    let calibration = CheckCalibration(configuration, meanCosine: 0.2)
    #expect(calibration.isWithin == isWithin)
    let limit = "for images of 32 and 64 pixels, and this one is for \(imageSize)"
    #expect(calibration.limit?.contains(limit) == (isWithin ? nil : true))
    let alike = CheckCalibration(configuration, meanCosine: 0.5)
    #expect(!alike.isWithin && alike.limit?.contains("this one's is 0.50") == true)
  }

  @Test func textsNeedATokenizer() throws {
    let model = try tinyModel()
    for change: (inout CheckpointCheck) -> Void in [
      { $0.checksText = true }, { $0.classes = ["red"] },
    ] {
      let error = #expect(throws: CLIPError.self) {
        try check(model, change).run { _ in
          Issue.record("searches before it looks")
          return false
        }
      }
      #expect(error?.code == .invalidArgument)
      #expect(error?.message.contains("need a tokenizer") == true)
    }
  }

  @Test func recoveredTriggersBecomeFiles() throws {
    let folder = TemporaryFolder()
    let result = try check(try tinyModel()).run { _ in true }
    let paths = try result.saveTriggers(to: folder.path)
    let found = result.findings.filter { $0.trigger != nil }
    #expect(!found.isEmpty)
    #expect(paths == found.map { folder.file($0.kind + ".safetensors") })
    #expect(
      folder.names
        == found.flatMap { [$0.kind + ".png", $0.kind + ".safetensors"] }.sorted())
    for (path, finding) in zip(paths, found) {
      let trigger = try Trigger.load(path)
      #expect(trigger.recovered == finding.trigger?.recovered)
      #expect(trigger.summary.contains("found by a check of a model, untargeted"))
    }
    #expect(throws: CLIPError.self) { try result.saveTriggers(to: folder.file("no/folder")) }
  }

  @Test func resultsAreWrittenByTheirEnding() throws {
    let folder = TemporaryFolder()
    let result = try check(try tinyModel()).run { _ in true }
    for ending in [".html", ".json"] {
      try result.write(to: folder.file("result" + ending), subject: "tiny", version: "1")
    }
    #expect(folder.names == ["result.html", "result.json"])
    #expect {
      try result.write(to: folder.file("result.csv"), version: "1")
    } throws: { error in "\(error)".contains("expected one of .html, .json") }
  }
}
