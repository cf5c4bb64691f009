import CleanCLIPKit
import Testing

@Suite struct InputCheckTests {
  private func clean(_ count: Int, seed: UInt64) throws -> Tensor {
    var random = RandomNumbers(seed: seed)
    return try Tensor(
      (0..<count * 8).map { 2 * ($0 % 8 == 0 ? 2 : 0) + random.normal() }, [count, 8])
  }

  @Test func keepsThePromisedRateAndFindsStrangers() throws {
    let check = try InputCheck(
      bank: try CleanBank(imageFeatures: try clean(200, seed: 1), texts: nil), falseAlarmRate: 0.05)
    let alarms = try check.findings(try clean(2000, seed: 2)).count(where: \.isFlagged)
    #expect(Double(alarms) / 2000 < 0.08)
    var random = RandomNumbers(seed: 3)
    let strange = try Tensor((0..<50 * 8).map { _ in 12 + random.normal() }, [50, 8])
    let found = try check.findings(strange)
    #expect(found.allSatisfy { $0.isFlagged })
    #expect(found.allSatisfy { $0.pValue == 1.0 / 201 })
  }

  @Test func aSetIsJudgedByMoreAlarmsThanWerePromised() throws {
    let check = try InputCheck(
      bank: try CleanBank(imageFeatures: try clean(200, seed: 1), texts: nil), falseAlarmRate: 0.05)
    func report(_ features: Tensor) throws -> InputReport {
      InputReport(
        keys: (0..<features.shape[0]).map { "\($0)" }, findings: try check.findings(features),
        threshold: check.threshold)
    }
    let sound = try report(try clean(400, seed: 8))
    #expect(sound.flagged > 0)
    #expect(sound.verdict == .clean)
    var random = RandomNumbers(seed: 3)
    let strange = try report(
      try Tensor((0..<10 * 8).map { _ in 12 + random.normal() }, [10, 8]))
    #expect(strange.flagged == 10)
    // The 191st of 200 scores: Beta(10, 191), all ten flagged: (10 … 19) / (201 … 210).
    let chance = (0..<10).reduce(1.0) { $0 * Double(10 + $1) / Double(201 + $1) }
    #expect(abs(strange.pValue / chance - 1) < 1e-9)
    #expect(strange.verdict == .backdoored)
    let page = try strange.html(model: "<m>", version: "1") { _ in
      RGBImage(width: 4, height: 4)
    }
    #expect(page.contains("&lt;m&gt;") && page.contains("10 of 10 images are flagged"))
    #expect(strange.json["flagged"]?.integer == 10)
  }

  /// Features like those of `clean`, but wider apart.
  private func wider(_ count: Int, by factor: Float) throws -> Tensor {
    let features = try clean(count, seed: 11)
    for i in 0..<features.count where i % 8 != 0 { features.f32[i] *= factor }
    return features
  }

  @Test func aShiftOfTheTrafficIsNoTrigger() throws {
    let check = try InputCheck(
      bank: try CleanBank(imageFeatures: try clean(200, seed: 1), texts: nil), falseAlarmRate: 0.05)
    func report(_ features: Tensor) throws -> InputReport {
      let findings = try check.findings(features)
      return InputReport(
        keys: findings.indices.map { "\($0)" }, findings: findings, threshold: check.threshold,
        shift: try check.shift(of: features, findings))
    }
    let sound = try report(try clean(400, seed: 8))
    #expect(sound.verdict == .clean && sound.shift?.isFound == false)
    #expect(!sound.explanation.contains("another kind"))

    let shifted = try report(try wider(400, by: 1.5))
    #expect(shifted.pValue < 0.01)
    #expect(shifted.verdict == .cannotTell)
    #expect(
      shifted.explanation.contains("of another kind") && shifted.explanation.contains("Extend"))
    #expect(shifted.json["shift"]?.object?["found"] == .bool(true))

    // A trigger on some images is no shift, and one on most of them is none either.
    var random = RandomNumbers(seed: 3)
    func triggered(_ count: Int) throws -> Tensor {
      try Tensor((0..<count * 8).map { _ in 12 + random.normal() }, [count, 8])
    }
    let some = try report(try Tensor.joined(try clean(400, seed: 8), try triggered(40)))
    #expect(some.verdict == .backdoored && some.shift?.isFound == false)
    let most = try report(try Tensor.joined(try clean(40, seed: 8), try triggered(400)))
    #expect(most.verdict == .backdoored && most.shift?.flaggedAreAlike == true)

    // With the images in the bank they are no strangers.
    let extended = try InputCheck(
      bank: try CleanBank(imageFeatures: try clean(200, seed: 1), texts: nil)
        .extended(by: try wider(200, by: 1.5)), falseAlarmRate: 0.05)
    #expect(try extended.findings(try wider(400, by: 1.5)).count(where: \.isFlagged) < 40)
    // Where no more are flagged than were promised, a shift is no one's concern.
    let little = try report(try wider(400, by: 1.07))
    if little.verdict == .clean { #expect(!little.explanation.contains("another kind")) }
    let misfit = #expect(throws: CLIPError.self) {
      try CleanBank(imageFeatures: try clean(60, seed: 1), texts: nil)
        .extended(by: try Tensor([1, 2, 3] as [Float], [1, 3]))
    }
    #expect(misfit?.message.contains("expected [n, 8], got [1, 3]") == true)
  }

  @Test func anImageIsInABankOnce() throws {
    let features = try clean(60, seed: 1)
    let bank = try CleanBank(imageFeatures: features, texts: nil)
    // Encoded beside others, an image has other last digits.
    let again = try Tensor(features.floats().map { $0 * (1 + 1e-6) }, [60, 8])
    #expect(try bank.extended(by: again).imageFeatures.floats() == features.floats())
    let new = try clean(10, seed: 2)
    let extended = try bank.extended(by: try Tensor.joined(try Tensor.joined(again, new), new))
    #expect(extended.imageFeatures.floats() == features.floats() + new.floats())
    #expect(try FeatureMatrix.distinct(try Tensor.joined(new, new)) == Array(0..<10))
    // Far images of equal length are no doubles.
    let turned = try Tensor(new.floats().map { -$0 }, [10, 8])
    #expect(try FeatureMatrix.distinct(turned, besides: new) == Array(0..<10))
  }

  @Test func aBankIsOfOneModel() throws {
    let model = try tinyModel()
    let width = model.configuration.embedDim
    var random = RandomNumbers(seed: 4)
    var bank = try CleanBank(
      imageFeatures: try Tensor((0..<60 * width).map { _ in random.normal() }, [60, width]),
      texts: nil)
    #expect(bank.imageTower == nil)
    try bank.take(model)
    try bank.take(model)
    let folder = TemporaryFolder()
    try bank.save(to: folder.file("bank.safetensors"))
    var read = try CleanBank.load(folder.file("bank.safetensors"))
    #expect(read.imageTower == model.imageTowerIdentity)
    try read.take(model)
    // One step of training, or another preparation of images, makes another model.
    let trained = try tinyModel()
    for parameter in trained.imageParameters {
      for i in 0..<parameter.value.count { parameter.value.f32[i] += 1e-4 }
    }
    var prepared = try tinyModel().configuration
    prepared.preprocessing.mean = [0.5, 0.5, 0.5]
    for other in [
      trained,
      try CLIPModel(prepared, tensors: Dictionary(uniqueKeysWithValues: model.stateDict())),
    ] {
      expectError(containing: "bank.safetensors': is of another model") { try read.take(other) }
    }
    try read.take(try tinyModel())
  }

  @Test func residualIsThePartOutsideTheSpanOfTheTexts() throws {
    // Texts span the first two axes; the third text is a sum of the others.
    let texts = CleanBank.ClassTexts(
      features: try Tensor(
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0.6, 0.8, 0, 0, 0, 0, 0, 0] as [Float],
        [3, 8]),
      contrast: [Float](repeating: 0, count: 8))
    let check = try InputCheck(
      bank: try CleanBank(imageFeatures: try clean(60, seed: 5), texts: texts), falseAlarmRate: 0.1)
    var probes = [Float](repeating: 0, count: 24)
    (probes[0], probes[1]) = (3, 4)  // inside: 0 of its length of 5
    (probes[8], probes[10]) = (4, 3)  // 0.6 of its length
    probes[23] = 2  // 1
    let residuals = try check.findings(try Tensor(probes, [3, 8])).map(\.signals.residual)
    let ratio = (residuals[1] - residuals[0]) / (residuals[2] - residuals[0])
    #expect(abs(ratio - 0.6) < 1e-4)
  }

  @Test func bankSurvivesItsFile() throws {
    let texts = CleanBank.ClassTexts(
      features: try Tensor([1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] as [Float], [2, 8]),
      contrast: [1, 2, 3, 4, 5, 6, 7, 8])
    let bank = try CleanBank(imageFeatures: try clean(60, seed: 5), texts: texts)
    let folder = TemporaryFolder()
    let path = folder.file("bank.safetensors")
    try bank.save(to: path)
    let read = try CleanBank.load(path)
    #expect(read.imageFeatures.floats() == bank.imageFeatures.floats())
    #expect(read.texts?.contrast == texts.contrast)
    let probe = try clean(5, seed: 6)
    let a = try InputCheck(bank: bank, falseAlarmRate: 0.1).findings(probe)
    let b = try InputCheck(bank: read, falseAlarmRate: 0.1).findings(probe)
    #expect(a == b)
  }

  @Test func badBanksAndFeaturesAreErrors() throws {
    #expect(throws: CLIPError.self) {
      try CleanBank(imageFeatures: try clean(20, seed: 1), texts: nil)
    }
    #expect(throws: CLIPError.self) {
      try CleanBank(
        imageFeatures: try Tensor([Float](repeating: 1, count: 800), [100, 8]), texts: nil)
    }
    let bank = try CleanBank(imageFeatures: try clean(60, seed: 1), texts: nil)
    let tooFew = #expect(throws: CLIPError.self) {
      try InputCheck(bank: bank, falseAlarmRate: 0.01)
    }
    #expect(tooFew?.message.contains("expected at least 99, got 60") == true)
    let check = try InputCheck(bank: bank, falseAlarmRate: 0.1)
    #expect(throws: CLIPError.self) {
      try check.findings(try Tensor([1, 2, 3] as [Float], [1, 3]))
    }
    #expect(throws: CLIPError.self) {
      try check.findings(try Tensor([1, 2, 3, .nan, 5, 6, 7, 8], [1, 8]))
    }
  }
}
