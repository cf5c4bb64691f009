import CleanCLIPKit
import Glibc
import Testing

/// Cases small enough to compute by hand.
@Suite struct HandComputedTests {
  private let tape = Tape()

  private func variable(_ values: [Float], _ shape: Shape) throws -> Variable {
    Variable(try Tensor(values, shape), requiresGradient: true)
  }

  private func parameter(_ values: [Float], _ shape: Shape) throws -> Parameter {
    Parameter("p", try Tensor(values, shape))
  }

  @Test func linearMultipliesByTheTransposedWeight() throws {
    let x = try variable([1, 2, 3], [1, 3])
    let weight = try parameter([1, 0, -1, 2, 1, 0], [2, 3])
    let bias = try parameter([10, 20], [2])
    let y = try tape.linear(x, weight: weight, bias: bias)
    #expect(y.value.floats() == [8, 24])
    try tape.backward(y, gradient: tensor([1, 10], [1, 2]))
    #expect(x.gradient?.floats() == [21, 10, -1])
    #expect(weight.gradient?.floats() == [1, 2, 3, 10, 20, 30])
    #expect(bias.gradient?.floats() == [1, 10])
  }

  @Test(.enabled(if: CPUFeatures.computesBF16, "needs AVX-512"))
  func gradientsOfLargeWeightsAreWholeInHalfPrecision() throws {
    // Made in two parts, of sizes that are multiples of nothing; bf16 holds these values exactly.
    let (rows, outputs, inputs) = (3, 577, 1153)
    let x = (0..<rows * inputs).map { Float($0 % 7) - 3 }
    let dy = (0..<rows * outputs).map { Float($0 % 5) - 2 }
    let weight = try Parameter("p", Tensor([outputs, inputs]))
    let input = Variable(try tensor(x, [rows, inputs]).converted(to: .bf16))
    let y = try tape.linear(input, weight: weight, bias: nil)
    try tape.backward(y, gradient: tensor(dy, [rows, outputs]).converted(to: .bf16))
    let expected = (0..<outputs * inputs).map { index in
      (0..<rows).reduce(Float(0)) {
        $0 + dy[$1 * outputs + index / inputs] * x[$1 * inputs + index % inputs]
      }
    }
    #expect(weight.gradient?.floats() == expected)
  }

  @Test func projectMultipliesByTheWeight() throws {
    let x = try variable([1, 2], [1, 2])
    let y = try tape.project(x, weight: parameter([1, 2, 3, 4, 5, 6], [2, 3]))
    #expect(y.value.floats() == [9, 12, 15])
  }

  @Test func gradientsOfRepeatedUseAddUp() throws {
    let x = try variable([1, 2], [1, 2])
    let weight = try parameter([1, 0, 0, 1], [2, 2])
    let once = try tape.linear(x, weight: weight, bias: nil)
    let twice = try tape.linear(once, weight: weight, bias: nil)
    let sum = try tape.add(twice, x)
    try tape.backward(sum, gradient: tensor([1, 1], [1, 2]))
    #expect(x.gradient?.floats() == [2, 2])
    #expect(weight.gradient?.floats() == [2, 4, 2, 4])
  }

  @Test func frozenParametersAndConstantInputsGetNoGradient() throws {
    let x = Variable(try tensor([1, 2], [1, 2]))
    let weight = try parameter([1, 0, 0, 1], [2, 2])
    weight.isTrainable = false
    let bias = try parameter([0, 0], [2])
    let y = try tape.linear(x, weight: weight, bias: bias)
    try tape.backward(y, gradient: tensor([1, 1], [1, 2]))
    #expect(x.gradient == nil)
    #expect(weight.gradient == nil)
    #expect(bias.gradient?.floats() == [1, 1])
  }

  @Test func aChangedWeightIsReadAgain() throws {
    let x = try variable([1], [1, 1])
    let weight = try parameter([2], [1, 1])
    let before = try tape.linear(x, weight: weight, bias: nil)
    #expect(before.value.floats() == [2])
    weight.value.withMutableFloats { $0[0] = 5 }
    weight.valueDidChange()
    let after = try tape.linear(x, weight: weight, bias: nil)
    #expect(after.value.floats() == [5])
  }

  @Test func layerNormOfTwoValuesIsPlusMinusOne() throws {
    let x = try variable([1, 3, -5, 5], [2, 2])
    let y = try tape.layerNorm(
      x, weight: parameter([1, 2], [2]), bias: parameter([0, 1], [2]), epsilon: 0)
    expectClose(y.value.floats(), [-1, 3, -1, 3], rtol: 1e-6, atol: 0)
  }

  @Test func activationsMatchTheirDefinitions() throws {
    let points: [Float] = [-100, -6, -3, -1, -0.1, 0, 1e-6, 0.3, 1, 2.5, 6, 100]
    let x = try variable(points, [points.count])
    let quick = points.map { Float(Double($0) / (1 + exp(-1.702 * Double($0)))) }
    expectClose(
      try tape.activate(x, .quickGELU).value.floats(), quick, rtol: 1e-6, atol: 1e-30)
    let exact = points.map { Float(Double($0) * 0.5 * erfc(-Double($0) / 2.0.squareRoot())) }
    // The squared exponent rounds: relative errors grow with x² where the result is tiny.
    expectClose(try tape.activate(x, .gelu).value.floats(), exact, rtol: 3e-6, atol: 1e-30)
    let tanhForm = points.map { point -> Float in
      let x = Double(point)
      let u = (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
      return Float(x / (1 + exp(-2 * u)))
    }
    expectClose(try tape.activate(x, .geluTanh).value.floats(), tanhForm, rtol: 3e-6, atol: 1e-30)
  }

  @Test func attentionOfEqualKeysIsTheMeanOfTheValues() throws {
    let qkv = try variable([3, 0, 1, -2, 0, 2, 7, 0, 6], [3, 3])
    let all = try tape.attention(
      qkv: qkv, sequences: Sequences(lengths: [3]), heads: 1, isCausal: false)
    expectClose(all.value.floats(), [3, 3, 3], rtol: 1e-6, atol: 0)
    let causal = try tape.attention(
      qkv: qkv, sequences: Sequences(lengths: [3]), heads: 1, isCausal: true)
    expectClose(causal.value.floats(), [1, 1.5, 3], rtol: 1e-6, atol: 0)
    let apart = try tape.attention(
      qkv: qkv, sequences: Sequences(lengths: [1, 2]), heads: 1, isCausal: false)
    expectClose(apart.value.floats(), [1, 4, 4], rtol: 1e-6, atol: 0)
  }

  @Test func attentionWeighsByScaledScores() throws {
    // One head of width 4, query (2, 0, 0, 0): scores 2 k / √4 = k = 0 and ln 3.
    let k = logf(3)
    var rows = [Float](repeating: 0, count: 24)
    rows[0] = 2
    rows[12 + 0] = 2
    rows[12 + 4] = k
    rows[8] = 1
    rows[12 + 8] = 5
    let y = try tape.attention(
      qkv: variable(rows, [2, 12]), sequences: Sequences(lengths: [2]), heads: 1, isCausal: false)
    expectClose(y.value.floats(), [4, 0, 0, 0, 4, 0, 0, 0], rtol: 1e-6, atol: 0)
  }

  @Test func attentionSurvivesLargeScores() throws {
    let qkv = try variable([1e4, 1e4, 1, 1e4, -1e4, 2], [2, 3])
    let y = try tape.attention(
      qkv: qkv, sequences: Sequences(lengths: [2]), heads: 1, isCausal: false)
    expectClose(y.value.floats(), [1, 1], rtol: 1e-6, atol: 0)
  }

  @Test func convolutionIsACrossCorrelation() throws {
    let x = try variable([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1])
    let weight = try parameter([1, 0, 0, -1], [1, 1, 2, 2])
    let y = try tape.convolution(
      x, weight: weight, bias: parameter([0.5], [1]), stride: 1, padding: 0)
    #expect(y.shape == [1, 2, 2, 1])
    #expect(y.value.floats() == [-3.5, -3.5, -3.5, -3.5])
    try tape.backward(y, gradient: tensor([1, 0, 0, 0], [1, 2, 2, 1]))
    #expect(x.gradient?.floats() == [1, 0, 0, 0, -1, 0, 0, 0, 0])
    #expect(weight.gradient?.floats() == [1, 2, 4, 5])
  }

  @Test func batchNormTrainsItsRunningStatistics() throws {
    let norm = BatchNorm(
      weight: try parameter([1], [1]), bias: try parameter([0], [1]),
      runningMean: try tensor([0], [1]), runningVariance: try tensor([1], [1]), epsilon: 0)
    let x = try variable([1, 3], [2, 1])
    let training = Tape(isTraining: true)
    expectClose(
      try training.batchNorm(x, norm, followedByReLU: false).value.floats(), [-1, 1], rtol: 1e-6,
      atol: 0)
    // Unbiased variance 2; a tenth of the way.
    expectClose(norm.runningMean.floats(), [0.2], rtol: 1e-6, atol: 0)
    expectClose(norm.runningVariance.floats(), [1.1], rtol: 1e-6, atol: 0)
    let inference = try tape.batchNorm(x, norm, followedByReLU: true)
    expectClose(inference.value.floats(), [0.76277, 2.66970], rtol: 1e-5, atol: 0)
    expectClose(norm.runningMean.floats(), [0.2], rtol: 1e-6, atol: 0)
  }

  @Test func averagePoolDropsWhatIsLeftOver() throws {
    let x = try variable([1, 2, 9, 3, 4, 9, 9, 9, 9], [1, 3, 3, 1])
    let y = try tape.averagePool(x, kernel: 2)
    #expect(y.value.floats() == [2.5])
    try tape.backward(y, gradient: tensor([4], [1, 1, 1, 1]))
    #expect(x.gradient?.floats() == [1, 1, 0, 1, 1, 0, 0, 0, 0])
  }

  @Test func patchesAreInTheOrderOfAFlattenedFilter() throws {
    let x = try variable((0..<16).map(Float.init), [1, 2, 2, 4])
    let y = try tape.patches(x, patchSize: 2)
    #expect(y.shape == [2, 8])
    #expect(y.value.floats() == [0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15])
  }

  @Test func visualTokensBeginWithTheClass() throws {
    let x = try variable([1, 2], [2, 1])
    let y = try tape.visualTokens(
      x, classEmbedding: parameter([100], [1]), positions: parameter([0.5, 0.25], [2, 1]),
      batch: 2)
    #expect(y.value.floats() == [100.5, 1.25, 100.5, 2.25])
  }

  @Test func meanTokenComesFirst() throws {
    let x = try variable([1, 3], [1, 1, 2, 1])
    let y = try tape.meanToken(x, positions: parameter([10, 20, 30], [3, 1]))
    #expect(y.value.floats() == [12, 21, 33])
  }

  @Test func embeddingCountsPositionsInEachCaption() throws {
    let y = try tape.embedding(
      TokenBatch([[1, 0], [1]]), table: parameter([1, 2], [2, 1]),
      positions: parameter([10, 20], [2, 1]))
    #expect(y.value.floats() == [12, 21, 12])
  }

  @Test func embeddingRefusesUnknownTokensAndLongCaptions() throws {
    let table = try parameter([1, 2], [2, 1])
    let positions = try parameter([10], [1, 1])
    let unknown = #expect(throws: CLIPError.self) {
      try tape.embedding(TokenBatch([[2]]), table: table, positions: positions)
    }
    #expect(
      unknown?.message == "embedding: token id is out of range; expected 0 to 1, got 2")
    let long = #expect(throws: CLIPError.self) {
      try tape.embedding(TokenBatch([[0, 1]]), table: table, positions: positions)
    }
    #expect(
      long?.message
        == "embedding: caption is too long; expected at most 1 tokens, got 2; truncate it")
  }

  @Test func normalizeKeepsZerosAndScalesTheRest() throws {
    let x = try variable([3, 4, 0, 0], [2, 2])
    let y = try tape.normalize(x)
    expectClose(y.value.floats(), [0.6, 0.8, 0, 0], rtol: 1e-6, atol: 0)
    try tape.backward(y, gradient: tensor([1, 0, 1, 0], [2, 2]))
    expectClose(x.gradient?.floats() ?? [], [0.128, -0.096, 1e12, 0], rtol: 1e-5, atol: 0)
  }

  @Test func linearAlgebraTransposesScalesAndAdds() throws {
    let a = try variable([1, 2, 3, 4, 5, 6], [2, 3]).value
    let b = try variable([1, 0, 2, 1, 0, 1], [3, 2]).value
    let c = try variable([1, 1, 1, 1], [2, 2]).value
    try LinearAlgebra.multiply(a, b, into: c, alpha: 2, beta: 1)
    #expect(c.floats() == [11, 11, 29, 23])
    // aᵀ · bᵀ, over memory that holds something else.
    let d = try variable(Array(repeating: .nan, count: 9), [3, 3]).value
    try LinearAlgebra.multiply(a, transposeA: true, b, transposeB: true, into: d)
    #expect(d.floats() == [1, 6, 4, 2, 9, 5, 3, 12, 6])
  }
}
