import CleanCLIPKit
import Testing

/// A norm with fixed statistics is a scale and a shift, which its convolution can carry: in a
/// checkpoint that has no norms, or in the pass that encodes.
@Suite struct FoldedNormTests {
  private let batch: TrainingBatch
  private let model: CLIPModel

  /// A model whose statistics, weights and biases are off their initial values.
  init() throws {
    batch = try TinyRun.batch(Array(0..<6), size: 32)
    model = try TinyRun.model(resNet: true)
    _ = try model.imageFeatures(Tape(isTraining: true), Variable(batch.pixels))
    var random = RandomNumbers(seed: 3)
    for (_, norm) in model.batchNorms {
      for channel in 0..<norm.weight.value.count {
        norm.weight.value.f32[channel] = 0.5 + random.uniform()
        norm.bias.value.f32[channel] = random.normal()
      }
      norm.weight.valueDidChange()
      norm.bias.valueDidChange()
    }
  }

  private func encoded(_ model: CLIPModel, _ precision: DType = .f32) throws -> [Float] {
    try model.encodeImages(batch.pixels, normalize: false, precision: precision).floats()
  }

  /// Features and the pixels' gradient from a tape that runs the norms with running statistics.
  private func differentiated() throws -> (features: [Float], gradient: [Float]) {
    let tape = Tape()
    let pixels = Variable(batch.pixels, requiresGradient: true)
    let features = try model.imageFeatures(tape, pixels)
    try tape.backward(features, gradient: randomTensor(features.shape, seed: 4))
    return (features.value.floats(), try #require(pixels.gradient).floats())
  }

  @Test func encodingFoldsNormsAndGivesTheSameFeatures() throws {
    #expect(relativeError(try encoded(model), try differentiated().features) < 1e-5)
  }

  @Test func frozenNormsAreFoldedAndGiveTheSameGradient() throws {
    let expected = try differentiated()
    for parameter in model.parameters { parameter.isTrainable = false }
    let actual = try differentiated()
    #expect(relativeError(actual.features, expected.features) < 1e-5)
    #expect(relativeError(actual.gradient, expected.gradient) < 1e-5)
  }

  @Test(arguments: CPUFeatures.computesBF16 ? [DType.f32, .bf16] : [.f32])
  func statisticsThatChangedAreUsedByTheNextPass(precision: DType) throws {
    let before = try encoded(model, precision)
    _ = try model.imageFeatures(
      Tape(precision: precision, isTraining: true), Variable(batch.pixels))
    let trained = try encoded(model, precision)
    #expect(trained != before)
    for suffix in ["running_mean", "running_var", "weight", "bias"] {
      let last = try encoded(model, precision)
      let name = "visual.layer3.0.bn2.\(suffix)"
      let state = try model.copiedState()
      try (try #require(state[name])).floats().map { 1.5 * $0 + 0.1 }
        .withUnsafeBufferPointer { (values) throws in try model.setTensor(name, values) }
      let fresh = try CLIPModel(model.configuration, tensors: try model.copiedState())
      let (actual, expected) = (try encoded(model, precision), try encoded(fresh, precision))
      #expect(actual != last && actual == expected, "\(name)")
    }
  }

  @Test func checkpointsWithoutNormsGiveTheSameFeaturesAndTrain() throws {
    var configuration = model.configuration
    guard case .resNet(var vision)? = configuration.vision else { return }
    vision.batchNorm = .folded
    configuration.vision = .resNet(vision)
    var tensors = try model.copiedState()
    for (name, norm) in model.batchNorms {
      let convolution =
        name.hasSuffix("downsample.1")
        ? name.dropLast() + "0" : name.replacing("bn", with: "conv")[...]
      let weight = try #require(tensors[convolution + ".weight"])
      let bias = try Tensor.zeros([norm.weight.value.count])
      for channel in 0..<bias.count {
        let scale =
          norm.weight.value.f32[channel]
          / (norm.runningVariance.f32[channel] + 1e-5).squareRoot()
        bias.f32[channel] =
          norm.bias.value.f32[channel] - scale * norm.runningMean.f32[channel]
        let filter = weight.slice(channel..<channel + 1)
        for index in 0..<filter.count { filter.f32[index] *= scale }
      }
      tensors[convolution + ".bias"] = bias
      for suffix in ["weight", "bias", "running_mean", "running_var"] {
        tensors["\(name).\(suffix)"] = nil
      }
    }
    let folded = try CLIPModel(configuration, tensors: tensors)
    #expect(folded.batchNorms.isEmpty)
    #expect(relativeError(try encoded(folded), try differentiated().features) < 1e-5)
    let recipe = try CleanCLIPRecipe(folded, loss: TinyRun.loss)
    #expect(
      try recipe.accumulateGradients(batch, Pass()).loss.isFinite)
    #expect(folded.parameters.allSatisfy { $0.gradient != nil })
  }
}
