import CleanCLIPKit
import Testing

@Suite struct SanitizeMethodTests {
  /// Red and blue images, which are class 0 and 1.
  static func dataset() throws -> PairDataset {
    try PairDataset(
      (0..<12).map { index in
        let isRed = index % 2 == 0
        let image = RGBImage(width: 8, height: 8, red: isRed ? 200 : 20, blue: isRed ? 20 : 200)
        return CaptionedImage(
          key: "\(index)", image: .pixels(image), caption: "", label: .index(Int32(index % 2)))
      })
  }

  static func supervised() throws -> SanitizeOptions {
    var options = SanitizeOptions(try SanitizeMethod.named("supervised"))
    options.training.epochs = 2
    options.training.batchSize = 4
    options.training.learningRate = 1e-3
    options.training.warmupSteps = 1
    return options
  }

  @Test func methodsAreNamedOnceAndExplained() throws {
    let names = SanitizeMethod.all.map(\.name)
    #expect(Set(names).count == names.count)
    for method in SanitizeMethod.all {
      #expect(try SanitizeMethod.named(method.name).title == method.title)
      #expect(!method.summary.isEmpty && !method.summary.hasSuffix("."))
      let options = method.options.map(\.name)
      #expect(Set(options).count == options.count, "\(method.name)")
      try SanitizeOptions(method).validate()
    }
    expectError(containing: "expected cleanclip or supervised") {
      _ = try SanitizeMethod.named("magic")
    }
  }

  @Test func everyMethodIsRegistered() throws {
    #expect(
      try SourceTree.constants(of: "SanitizeMethod", in: "Sources/CleanCLIPKit/Sanitizing")
        == SanitizeMethod.all.count)
  }

  @Test func optionsWithoutEffectAreRefused() throws {
    var options = try Self.supervised()
    options.cleanclip.inmodalWeight = 0.5
    let error = #expect(throws: CLIPError.self) { try options.validate() }
    #expect(
      error?.message
        == "options: inmodal_weight has no effect with method supervised; expected 1, its "
        + "default, or method cleanclip, got 0.5")
    var other = SanitizeOptions()
    other.supervised.headPath = "head.safetensors"
    expectError(containing: "head_path has no effect with method cleanclip") {
      try other.validate()
    }
  }

  @Test func captionsNeedATokenizer() throws {
    expectError(containing: "cleanclip: captions need a tokenizer") {
      _ = try Sanitizer(
        try TinyRun.model(), tokenizer: nil, dataset: try Self.dataset(),
        options: SanitizeOptions())
    }
  }

  @Test func aRunSavesItsHeadAndKeepsItsSettings() throws {
    let folder = TemporaryFolder()
    var options = try Self.supervised()
    options.supervised.headPath = folder.path + "/head.safetensors"
    let sanitizer = try Sanitizer(
      try TinyRun.model(), tokenizer: nil, dataset: try Self.dataset(), options: options)
    try sanitizer.run()
    #expect(folder.names.isEmpty)
    try sanitizer.finish()
    let head = try SafeTensors.read(folder.path + "/head.safetensors")
    #expect(try head.tensor("head.weight").shape == [2, 6])
    #expect(sanitizer.history.steps.count == 6 && sanitizer.history.epochs.count == 2)
    let settings = sanitizer.history.settings
    #expect(settings["method"] == .string("supervised") && settings["epochs"] == .integer(2))
    // Of another method, none, and a place.
    for name in ["inmodal_weight", "head_classes", "head_path"] { #expect(settings[name] == nil) }
  }

  @Test func aCancelledRunKeepsItsSteps() throws {
    let sanitizer = try Sanitizer(
      try TinyRun.model(), tokenizer: nil, dataset: try Self.dataset(),
      options: try Self.supervised())
    let error = #expect(throws: CLIPError.self) { try sanitizer.run { $0.step < 3 } }
    #expect(error?.code == .cancelled && sanitizer.history.steps.count == 3)
  }

  @Test func aStateOfOtherOptionsIsRefused() throws {
    let folder = TemporaryFolder()
    var options = try Self.supervised()
    options.training.stateDirectory = folder.path
    try Sanitizer(
      try TinyRun.model(), tokenizer: nil, dataset: try Self.dataset(), options: options
    ).run()
    options.training.resume = true
    options.supervised.headClasses = 2
    expectError(containing: "head_classes: expected 2, got none") {
      _ = try Sanitizer(
        try TinyRun.model(), tokenizer: nil, dataset: try Self.dataset(), options: options)
    }
  }

  @Test func theOutcomeOfAMethodIsKeptAndShown() throws {
    var history = SanitizeHistory()
    history.settings = ["method": "supervised"]
    history.isComplete = true
    history.outcome = ["verdict": "removed", "searches": [:]]
    let read = try SanitizeHistory(json: history.json, name: "history")
    #expect(read.outcome == history.outcome)
    var contents = ReportContents()
    contents.history = read
    let report = try contents.report()
    #expect(report.stages.map(\.name) == ["Supervised fine-tuning"])
    #expect(report.sections.map(\.title) == ["Outcome", "Settings"])
    #expect(report.sections[0].rows.map(\.value) == ["removed"])
    #expect(contents.notices.isEmpty)
    history.isComplete = false
    contents.history = try SanitizeHistory(json: history.json, name: "history")
    #expect(
      try contents.report().stages.map(\.name) == ["Supervised fine-tuning (run not completed)"])
    #expect(contents.notices.count == 1)
  }

  @Test func reportsNameTheControlByItsMethod() throws {
    func name(_ method: String?, inmodalWeight: Float) throws -> String? {
      var contents = ReportContents()
      contents.controlHistory = SanitizeHistory()
      if let method { contents.controlHistory?.settings["method"] = .string(method) }
      contents.controlHistory?.settings["inmodal_weight"] = .single(inmodalWeight)
      return try contents.report().stages.last?.name
    }
    #expect(try name("cleanclip", inmodalWeight: 0)?.hasPrefix("Plain fine-tuning") == true)
    #expect(try name(nil, inmodalWeight: 1)?.hasPrefix("Plain fine-tuning") == true)
    #expect(try name("cleanclip", inmodalWeight: 1)?.hasPrefix("CleanCLIP") == true)
    #expect(try name("supervised", inmodalWeight: 1)?.hasPrefix("Supervised") == true)
  }
}
