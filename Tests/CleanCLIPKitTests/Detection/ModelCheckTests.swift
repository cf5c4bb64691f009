import CleanCLIPKit
import Testing

@Suite struct ModelCheckTests {
  private func tinyModel(imageSize: Int = 32, seed: UInt64 = 1) throws -> CLIPModel {
    let tower = TransformerConfiguration(
      width: 64, layers: 1, heads: 1, mlpWidth: 64, activation: .quickGELU)
    return try CLIPModel(
      CLIPConfiguration(
        embedDim: 24,
        vision: .transformer(
          VisionTransformerConfiguration(imageSize: imageSize, patchSize: 8, transformer: tower)),
        text: TextConfiguration(contextLength: 16, vocabularySize: 300, transformer: tower)),
      randomSeed: seed)
  }

  private func shortOptions() -> ModelCheckOptions {
    var options = ModelCheckOptions()
    options.search.steps = 6
    options.search.batchSize = 6
    options.pictures = 24
    options.ownSearches = 2
    return options
  }

  @Test func smallerSizesAreLessLikely() {
    let reference = SizeReference(source: .cleanCheckpoints, sizes: [0.1, 0.12, 0.09])
    #expect(reference.pValue(of: 0.1) > 0.3)
    #expect(reference.pValue(of: 0.05) < reference.pValue(of: 0.1))
    #expect(reference.pValue(of: 0.002) < 0.001)
    #expect(reference.pValue(of: 0.2) > 0.8)
    #expect(SizeReference(source: .ownSearches, sizes: []).pValue(of: 0.1) == 1)
    // The smallest of four undercuts the others even in a sound model.
    let own = SizeReference(source: .ownSearches, sizes: [0.151, 0.143, 0.192])
    #expect(own.pValue(of: 0.108) > 0.2)
    let judged = SizeReference(source: .cleanCheckpoints, sizes: own.sizes).pValue(of: 0.05)
    #expect(abs(own.pValue(of: 0.05) - 4 * judged) < 1e-12)
    #expect(own.pValue(of: 0.19) == 1)
  }

  @Test func checksDrawnPicturesAndSaysSo() throws {
    var check = ModelCheck(try tinyModel())
    check.options = shortOptions()
    var states: [ModelCheckProgress] = []
    let result = try check.run(images: nil) { state in
      states.append(state)
      return true
    }
    #expect(result.picturesWereDrawn)
    #expect(result.pictures == 24)
    #expect(result.findings.map(\.kind) == [.patch, .additive, .warp])
    #expect(result.findings.allSatisfy { $0.reference.sizes.count == 2 })
    #expect(states.last?.searches == 9)
    #expect(states.last?.search == 8)
    #expect(result.explanation.contains("drawn"))
    let html = try result.html(model: "<tiny>", version: "1")
    #expect(html.contains("&lt;tiny&gt;") && !html.contains("<script"))
    #expect(result.json["findings"]?.array?.count == 3)
    #expect(result.json["pictures"]?["source"]?.string == "drawn")
  }

  @Test func sameSeedGivesTheSameResult() throws {
    func sizes() throws -> [Float] {
      var check = ModelCheck(try tinyModel())
      check.options = shortOptions()
      return try check.run(images: nil) { _ in true }.findings.flatMap {
        [$0.search.size, $0.heldBackCollapse] + $0.reference.sizes
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

  @Test func picturesThatDoNotFitAreErrors() throws {
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

  @Test func nounsAreManyAndDistinct() {
    #expect(CommonNouns.all.count > 1000)
    #expect(Set(CommonNouns.all).count == CommonNouns.all.count)
    #expect(CommonNouns.all.contains("truck"))
    #expect(CommonNouns.all.allSatisfy { !$0.isEmpty && $0 == $0.lowercased() })
  }
}
