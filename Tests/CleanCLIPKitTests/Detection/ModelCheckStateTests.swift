import CleanCLIPKit
import Testing

@Suite struct ModelCheckStateTests {
  private func model(seed: UInt64 = 1) throws -> CLIPModel {
    try tinyModel(vocabularySize: nil, seed: seed)
  }

  /// A random tower maps images close together, so that its searches find triggers.
  private func check(_ model: CLIPModel, state: String?, resume: Bool) -> ModelCheck {
    var check = ModelCheck(model)
    check.options.search.steps = 5
    check.options.search.batchSize = 4
    check.options.imageLimit = 24
    check.options.referenceSearches = 2
    check.options.stateDirectory = state
    check.options.resume = resume
    return check
  }

  private func numbers(_ result: ModelCheckResult) -> [Float] {
    result.imageFindings.flatMap {
      [$0.search.size, $0.search.collapse, $0.heldOutCollapse] + $0.search.direction
        + $0.reference.sizes + ($0.search.trigger?.numbers ?? [])
    }
  }

  @Test func aCancelledCheckGoesOnWhereItStoppedBitByBit() throws {
    let folder = TemporaryFolder()
    let model = try model()
    let whole = try check(model, state: nil, resume: false).run(images: nil) { _ in true }
    #expect(whole.imageFindings.contains { $0.search.trigger != nil })
    let error = #expect(throws: CLIPError.self) {
      try check(model, state: folder.path, resume: false).run(images: nil) { position in
        position.search < 5
      }
    }
    #expect(error?.code == .cancelled)
    var searched: Set<Int> = []
    let resumed = try check(model, state: folder.path, resume: true).run(images: nil) { position in
      searched.insert(position.search)
      return true
    }
    #expect(searched == Set(5..<12))
    #expect(numbers(resumed) == numbers(whole))
    #expect(resumed.pValue == whole.pValue)
  }

  @Test func theStateOfAnotherCheckIsRefused() throws {
    let folder = TemporaryFolder()
    _ = try check(try model(), state: folder.path, resume: false).run(images: nil) { _ in true }
    let error = #expect(throws: CLIPError.self) {
      try check(try model(seed: 2), state: folder.path, resume: true).run(images: nil) { _ in true }
    }
    #expect(error?.code == .state)
    #expect(error?.message.contains("is the state of another check; models: expected") == true)
    var longer = check(try model(), state: folder.path, resume: true)
    longer.options.search.steps = 6
    let changed = #expect(throws: CLIPError.self) { try longer.run(images: nil) { _ in true } }
    #expect(changed?.message.contains("steps: expected 6, got 5") == true)
  }

  @Test func anotherFileIsNoState() throws {
    let folder = TemporaryFolder()
    try SafeTensors.write(
      [("x", try Tensor([1] as [Float], [1]))], metadata: ["format": "something"],
      to: folder.file("check-state.safetensors"))
    let error = #expect(throws: CLIPError.self) {
      try check(try model(), state: folder.path, resume: true).run(images: nil) { _ in true }
    }
    #expect(error?.code == .format)
  }

  @Test func referencesOfAnotherArchitectureAreRefused() throws {
    var check = check(try model(), state: nil, resume: false)
    check.cleanReferences = [try tinyModel(imageSize: 16, vocabularySize: nil)]
    let error = #expect(throws: CLIPError.self) { try check.run(images: nil) { _ in true } }
    #expect(error?.code == .shape)
  }
}
