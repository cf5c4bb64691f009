import CleanCLIPKit
import Testing

@Suite struct ModelCheckTests {
  private func shortOptions() -> ModelCheckOptions {
    var options = ModelCheckOptions()
    options.search.steps = 6
    options.search.batchSize = 6
    options.imageLimit = 24
    options.referenceSearches = 2
    return options
  }

  @Test func smallerSizesAreLessLikely() {
    let reference = SizeReference(source: .cleanCheckpoints, sizes: [0.1, 0.12, 0.09])
    #expect(reference.pValue(of: 0.1) > 0.3)
    #expect(reference.pValue(of: 0.05) < reference.pValue(of: 0.1))
    #expect(reference.pValue(of: 0.002) < 0.001)
    #expect(reference.pValue(of: 0.2) > 0.8)
    #expect(SizeReference(source: .referenceSearches, sizes: []).pValue(of: 0.1) == 1)
    // The smallest of four undercuts the others even in a clean model.
    let own = SizeReference(source: .referenceSearches, sizes: [0.151, 0.143, 0.192])
    #expect(own.pValue(of: 0.108) > 0.2)
    let judged = SizeReference(source: .cleanCheckpoints, sizes: own.sizes).pValue(of: 0.05)
    #expect(abs(own.pValue(of: 0.05) - 4 * judged) < 1e-12)
    #expect(own.pValue(of: 0.19) == 1)
  }

  @Test func checksSyntheticImagesAndSaysSo() throws {
    var check = ModelCheck(try tinyModel())
    check.options = shortOptions()
    var states: [ModelCheckProgress] = []
    let result = try check.run(images: nil) { state in
      states.append(state)
      return true
    }
    #expect(result.imagesAreSynthetic)
    #expect(result.images == 24)
    #expect(result.imageFindings.map(\.kind) == [.patch, .additive, .warp, .sinusoid])
    for finding in result.imageFindings where finding.search.trigger != nil {
      #expect(finding.reference.sizes.count == 2)
    }
    #expect(states.last?.searches == 12)
    #expect(states.map(\.search) == states.map(\.search).sorted())
    #expect(result.explanation.contains("synthetic"))
    let html = try result.html(model: "<tiny>", version: "1")
    #expect(html.contains("&lt;tiny&gt;") && !html.contains("<script"))
    #expect(result.json["findings"]?.array?.count == 4)
    #expect(result.json["images"]?["source"]?.string == "synthetic")
  }

  /// The texts of a model that has hardly learned are all alike to it: there is nothing to choose among.
  @Test(arguments: [1, 3, 12])
  func textsThatAreAlikeAreNotSearchedFor(distinct: Int) throws {
    var check = ModelCheck(try tinyModel())
    check.options = shortOptions()
    check.options.kinds = [.patch]
    let width = check.model.configuration.embedDim
    var random = RandomNumbers(seed: 4)
    let directions = (0..<distinct).map { _ in (0..<width).map { _ in random.normal() } }
    let rows = (0..<14).flatMap { text in
      directions[text % distinct].map { $0 + 1e-3 * random.normal() }
    }
    check.classes = try TextVocabulary(
      names: (0..<14).map { "text \($0)" }, features: try Tensor(rows, [14, width]))
    let result = try check.run(images: nil) { _ in true }
    #expect(result.targets.count <= distinct)
    if distinct < 4 {
      #expect(result.targets.isEmpty)
      #expect(result.explanation.contains("No text was searched for by itself: fewer than 4"))
    }
  }

  @Test func aModelToWhichAllImagesMeanTheSameIsNotClean() throws {
    let model = try tinyModel()
    let stem = try #require(model.parameters.first { $0.name == "visual.conv1.weight" })
    for i in 0..<stem.value.count { stem.value.f32[i] = 0 }
    stem.valueDidChange()
    var check = ModelCheck(model)
    check.options = shortOptions()
    let result = try check.run(images: nil) { _ in true }
    #expect(result.verdict == .cannotTell)
    #expect(result.explanation.contains("All images mean the same to the model"))
  }

  @Test func aModelThatHardlyTellsImagesApartIsNotClean() throws {
    let model = try tinyModel()
    // What all features share grows beside what differs.
    let weights = try #require(
      model.parameters.first { $0.name == "visual.ln_post.bias" })
    for i in 0..<weights.value.count { weights.value.f32[i] = 3 }
    weights.valueDidChange()
    var check = ModelCheck(model)
    check.options = shortOptions()
    check.options.search.steps = ModelCheckDoubt.fewestSteps
    check.options.kinds = [.additive]
    let result = try check.run(images: nil) { _ in true }
    #expect(result.verdict == .cannotTell)
    #expect(result.explanation.contains("Images are alike to the model as they are"))
  }

  @Test func aModelIsNoReferenceForItself() throws {
    let model = try tinyModel()
    var check = ModelCheck(model)
    check.options = shortOptions()
    check.cleanReferences = [try tinyModel(seed: 2), try tinyModel()]
    let error = #expect(throws: CLIPError.self) { try check.run(images: nil) { _ in true } }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains("clean reference 2 is the checked model itself") == true)
  }

  @Test func aCleanVerdictTakesEnoughSteps() throws {
    func doubt(_ cosine: Float, found: Bool, steps: Int) -> ModelCheckDoubt? {
      ModelCheckDoubt(cleanCollapse: cosine, found: found, steps: steps)
    }
    #expect(doubt(0.4, found: true, steps: 100) == nil)
    #expect(doubt(0.84, found: true, steps: 200) == nil)
    #expect(doubt(0.4, found: true, steps: 99) == .fewSteps(99))
    #expect(doubt(0.4, found: false, steps: 1) == .fewSteps(1))
    #expect(doubt(0.4, found: false, steps: 200) == .nothingFound)
    #expect(doubt(0.9, found: true, steps: 200) == .alike(0.9))
    #expect(doubt(1, found: false, steps: 3) == .oneMeaning)
    #expect(
      ModelCheckDoubt.fewSteps(3).explanation
        == "Nothing stood out, but 3 steps a search are too few to rely on that: take at least 100."
    )
  }

  @Test func noMoreImagesAreTakenThanFit() throws {
    // 1 GiB by 12 bytes a pixel.
    #expect(try ImageSample.limit(256, imageSize: 591) == 256)
    #expect(try ImageSample.limit(256, imageSize: 1024) == 85)
    #expect(try ImageSample.limit(256, imageSize: 2364) == 16)
    let tower = TransformerConfiguration(
      width: 8, layers: 0, heads: 1, mlpWidth: 8, activation: .quickGELU)
    func model(_ side: Int) throws -> CLIPModel {
      let vision = VisionTransformerConfiguration(
        imageSize: side, patchSize: 256, transformer: tower)
      return try CLIPModel(
        CLIPConfiguration(embedDim: 8, vision: .transformer(vision), text: nil), randomSeed: 1)
    }
    let image = CaptionedImage(
      key: "a", image: .pixels(RGBImage(width: 8, height: 8)), caption: "")
    for images in [nil, try PairDataset([image])] {
      var check = CheckpointCheck(LoadedModel(try model(4096)))
      check.images = images
      expectError(containing: "got 4096 pixels a side, of which 5 do") {
        _ = try check.run { _ in true }
      }
    }
    expectError(containing: "image_size is out of range; expected 1 to 4096, got 8192") {
      _ = try model(8192)
    }
  }

  @Test func simesCombinesTestsThatAgree() {
    // 0.01 · 3, 0.03 · 3 / 2, 0.04.
    #expect(abs(MultipleTests.simes([0.04, 0.01, 0.03]) - 0.03) < 1e-12)
    #expect(MultipleTests.simes([0.02, 0.02, 0.02]) == 0.02)
    #expect(MultipleTests.simes([0.5]) == 0.5)
    #expect(MultipleTests.simes([1, 1]) == 1)
    #expect(MultipleTests.simes([]) == 1)
    // Weights 1.5 and 0.5: 0.03 · 2 / 1.5 and 0.03 · 2 / 0.5, or both: 0.04 · 2 / 2.
    #expect(abs(MultipleTests.simes([0.03, 1], weights: [3, 1]) - 0.04) < 1e-12)
    #expect(abs(MultipleTests.simes([1, 0.03], weights: [3, 1]) - 0.12) < 1e-12)
    #expect(abs(MultipleTests.simes([0.04, 0.035], weights: [3, 1]) - 0.04) < 1e-12)
  }

  /// A check with classes in directions of their own, which a random tower's images can reach.
  private func checkWithClasses(_ count: Int, searches: Int) throws -> ModelCheck {
    var check = ModelCheck(try tinyModel())
    check.options = shortOptions()
    check.options.kinds = [.patch]
    check.options.classSearches = searches
    check.options.imageLimit = 64
    check.options.isExhaustive = true
    guard count > 0 else { return check }
    check.classes = try TextVocabulary(
      names: (0..<count).map { "class \($0)" },
      features: try randomTensor([count, 24], seed: 5))
    return check
  }

  @Test func classesAreSearchedOneByOne() throws {
    let check = try checkWithClasses(5, searches: 10)
    var phases: Set<String> = []
    let result = try check.run(images: nil) { state in
      #expect(state.searches == 8 && state.search < 8)
      phases.insert(state.phase)
      return true
    }
    #expect(phases.contains("patch towards \(result.targets.count) texts"))
    #expect(result.imageFindings.first?.target != nil && result.imageFindings.last?.target == nil)
    let finding = try #require(result.imageFindings.first)
    #expect(finding.reference.source == .otherClasses)
    #expect((1...3).contains(result.targets.count - finding.reference.sizes.count))
    #expect(finding.reference.sizes.allSatisfy { $0 >= finding.search.size })
    #expect(result.json["findings"]?.array?.first?["class"]?.string == finding.target)
    #expect(try result.html(model: "m", version: "1").contains("patch towards"))
  }

  @Test func ofManyClassesAFewAreSearched() throws {
    let result = try checkWithClasses(30, searches: 6).run(images: nil) { _ in true }
    #expect(result.imageFindings.first?.reference.sizes.count ?? 0 >= 3)
    // Those that most images are classified as are left out.
    #expect((4...6).contains(result.targets.count))
  }

  @Test func withoutClassesNounsAreSearched() throws {
    var check = try checkWithClasses(0, searches: 6)
    check.nouns = try TextVocabulary(
      names: (0..<60).map { "noun \($0)" }, features: try randomTensor([60, 24], seed: 5))
    func targets(_ check: ModelCheck) throws -> [String] {
      var phases: Set<String> = []
      let result = try check.run(images: nil) { state in
        phases.insert(state.phase)
        return state.search < state.searches
      }
      #expect(phases.contains("choose targets"))
      #expect(result.imageFindings.first?.target.map(result.targets.contains) == true)
      #expect(result.imageFindings.last?.target == nil)
      return result.targets
    }
    let chosen = try targets(check)
    #expect((4...6).contains(chosen.count) && Set(chosen).count == chosen.count)
    #expect(try targets(check) == chosen)
  }

  @Test func whatYieldsMostIsSearchedFirst() {
    let plan = SearchPlan(kinds: [.warp, .patch], hasTargets: true)
    #expect(plan.items.map(\.kind) == [.patch, .patch, .warp, .warp])
    #expect(plan.items.map(\.isTargeted) == [true, false, true, false])
    #expect(SearchPlan(kinds: [.warp], hasTargets: false).items.count == 1)
  }

  @Test func aCheckEndsWhereNothingChangesItsVerdict() {
    let plan = SearchPlan(kinds: [.warp, .patch], hasTargets: true)
    // The weights are 3, 2, 2 and 1: one of p = 0.003 gives 0.008 whatever the others are.
    #expect(plan.isSettled(by: [0.003]))
    #expect(!plan.isSettled(by: [0.004]))
    #expect(!plan.isSettled(by: [1, 1, 1]))
    #expect(abs(plan.pValue([0.003]) - 0.008) < 1e-12)
    // No more than with what the others would have given.
    #expect(plan.pValue([0.003, 0.5, 0.5, 1]) <= plan.pValue([0.003]))
  }

  @Test func tooFewClassesAreNoReference() throws {
    for (count, searches) in [(3, 10), (10, 0)] {
      let result = try checkWithClasses(count, searches: searches).run(images: nil) { _ in true }
      #expect(result.imageFindings.map(\.target) == [nil])
    }
  }

  @Test func sameSeedGivesTheSameResult() throws {
    func sizes() throws -> [Float] {
      var check = ModelCheck(try tinyModel())
      check.options = shortOptions()
      return try check.run(images: nil) { _ in true }.imageFindings.flatMap {
        [$0.search.size, $0.heldOutCollapse] + $0.reference.sizes
      }
    }
    #expect(try sizes() == sizes())
  }

  @Test func leavesTheModelTrainable() throws {
    let model = try tinyModel()
    var check = ModelCheck(model)
    check.options = shortOptions()
    let error = #expect(throws: CLIPError.self) {
      try check.run(images: nil) { state in state.step < 3 }
    }
    #expect(error?.code == .cancelled)
    #expect(model.parameters.allSatisfy { $0.isTrainable })
    #expect(model.parameters.allSatisfy { $0.gradient == nil })
  }

  @Test func imagesThatDoNotFitAreErrors() throws {
    var check = ModelCheck(try tinyModel())
    check.options = shortOptions()
    func message(_ pixels: Tensor) -> String {
      do {
        _ = try check.run(images: pixels) { _ in true }
        return "no error"
      } catch { return "\(error)" }
    }
    #expect(message(try Tensor.zeros([20, 3, 16, 16])).contains("expected [count, 3, 32, 32]"))
    #expect(message(try Tensor.zeros([4, 3, 32, 32])).contains("at least 16, got 4"))
    let bright = try Tensor.zeros([20, 3, 32, 32])
    bright.withMutableFloats { $0[5] = 3 }
    #expect(message(bright).contains("expected numbers in 0 to 1, got 3.0"))
  }

  @Test func brokenWeightsAreAnError() throws {
    let model = try tinyModel()
    model.parameters.first { $0.name == "visual.proj" }?.value.withMutableFloats { $0[0] = .nan }
    var check = ModelCheck(model)
    check.options = shortOptions()
    let error = #expect(throws: CLIPError.self) { try check.run(images: nil) { _ in true } }
    #expect(error?.code == .state)
  }

  @Test func nounsAreManyDistinctAndInOrder() {
    #expect(CommonNouns.all.count > 1000)
    #expect(Set(CommonNouns.all).count == CommonNouns.all.count)
    #expect(CommonNouns.all.contains("truck") && CommonNouns.all.contains("picture frame"))
    #expect(CommonNouns.all == CommonNouns.all.sorted())
    #expect(CommonNouns.all.allSatisfy { !$0.isEmpty && $0 == $0.lowercased() })
  }
}
