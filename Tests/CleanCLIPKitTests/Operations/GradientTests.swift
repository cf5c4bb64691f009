import CleanCLIPKit
import Testing

/// Every operation, differentiated by central differences, compared between precisions and repeated.
///
/// Sizes are odd and differ from one another, so that a swapped dimension or a forgotten tail of a
/// vector fails.
@Suite(.serialized) struct GradientTests {
  enum Operation: String, CaseIterable, CustomTestStringConvertible {
    case linear, linearWithoutBias, squareLinear, project, add, addReLU, quickGELU, gelu, geluTanh,
      relu
    case layerNorm, attention, causalAttention, wideAttention, poolingAttention
    case convolution, stridedConvolution, pointwiseConvolution, residualConvolution,
      foldedConvolution
    case batchNormTraining, batchNormInference, batchNormReLU
    case averagePool, pixels, patches, visualTokens, meanToken, rows, normalize

    var testDescription: String { rawValue }

    func make() throws -> Differentiable {
      switch self {
      case .linear, .linearWithoutBias, .squareLinear, .project, .layerNorm, .normalize:
        try makeRows()
      case .add, .addReLU, .quickGELU, .gelu, .geluTanh, .relu: try makeElementwise()
      case .attention, .causalAttention, .wideAttention, .poolingAttention: try makeAttention()
      case .convolution, .stridedConvolution, .pointwiseConvolution, .residualConvolution,
        .foldedConvolution, .batchNormTraining, .batchNormInference, .batchNormReLU, .averagePool:
        try makeImage()
      case .pixels, .patches, .visualTokens, .meanToken, .rows: try makeTokens()
      }
    }

    private func makeRows() throws -> Differentiable {
      let x = try randomTensor([7, 19], seed: 1)
      switch self {
      case .project:
        let weight = try randomParameter("weight", [19, 37], seed: 2, scale: 0.3)
        return Differentiable(inputs: [x], parameters: [weight]) { tape, x in
          try tape.project(x[0], weight: weight)
        }
      case .squareLinear:
        // The weight and its transpose have the same shape.
        let weight = try randomParameter("weight", [19, 19], seed: 2, scale: 0.3)
        return Differentiable(inputs: [x], parameters: [weight]) { tape, x in
          try tape.linear(x[0], weight: weight, bias: nil)
        }
      case .linearWithoutBias:
        let weight = try randomParameter("weight", [37, 19], seed: 2, scale: 0.3)
        return Differentiable(inputs: [x], parameters: [weight]) { tape, x in
          try tape.linear(x[0], weight: weight, bias: nil)
        }
      case .layerNorm:
        let weight = try randomParameter("weight", [19], seed: 2, scale: 0.3, around: 1)
        let bias = try randomParameter("bias", [19], seed: 3)
        return Differentiable(inputs: [x], parameters: [weight, bias]) { tape, x in
          try tape.layerNorm(x[0], weight: weight, bias: bias, epsilon: 1e-5)
        }
      case .normalize:
        return Differentiable(inputs: [x]) { tape, x in try tape.normalize(x[0]) }
      default:
        let weight = try randomParameter("weight", [37, 19], seed: 2, scale: 0.3)
        let bias = try randomParameter("bias", [37], seed: 3)
        return Differentiable(inputs: [x], parameters: [weight, bias]) { tape, x in
          try tape.linear(x[0], weight: weight, bias: bias)
        }
      }
    }

    private func makeElementwise() throws -> Differentiable {
      // Away from the kink of ReLU, where differences mean nothing.
      let values = randomFloats(5 * 23, seed: 4, scale: 2).map { abs($0) < 0.1 ? $0 + 0.5 : $0 }
      let x = try Tensor(values, [5, 23])
      switch self {
      case .add:
        let other = try randomTensor([5, 23], seed: 5)
        return Differentiable(inputs: [x, other]) { tape, x in try tape.add(x[0], x[1]) }
      case .addReLU:
        let other = try Tensor(values.map { $0 > 0 ? 0.25 : -0.75 }, [5, 23])
        return Differentiable(inputs: [x, other]) { tape, x in try tape.addReLU(x[0], x[1]) }
      case .relu: return Differentiable(inputs: [x]) { tape, x in try tape.relu(x[0]) }
      case .gelu: return Differentiable(inputs: [x]) { tape, x in try tape.activate(x[0], .gelu) }
      case .geluTanh:
        return Differentiable(inputs: [x]) { tape, x in try tape.activate(x[0], .geluTanh) }
      default:
        return Differentiable(inputs: [x]) { tape, x in try tape.activate(x[0], .quickGELU) }
      }
    }

    private func makeAttention() throws -> Differentiable {
      switch self {
      case .poolingAttention:
        let sequences = Sequences(lengths: [5, 1, 18])
        let query = try randomTensor([3, 26], seed: 6)
        let key = try randomTensor([24, 26], seed: 7)
        let value = try randomTensor([24, 26], seed: 8)
        return Differentiable(inputs: [query, key, value]) { tape, x in
          try tape.poolingAttention(
            query: x[0], key: x[1], value: x[2], sequences: sequences, heads: 2)
        }
      case .wideAttention:
        // More than one block of queries and of keys, head width over 64.
        let sequences = Sequences(lengths: [71, 35])
        let qkv = try randomTensor([106, 3 * 2 * 80], seed: 9)
        return Differentiable(inputs: [qkv]) { tape, x in
          try tape.attention(qkv: x[0], sequences: sequences, heads: 2, isCausal: true)
        }
      default:
        let sequences = Sequences(lengths: [5, 1, 18])
        let qkv = try randomTensor([24, 3 * 26], seed: 9)
        let isCausal = self == .causalAttention
        return Differentiable(inputs: [qkv]) { tape, x in
          try tape.attention(qkv: x[0], sequences: sequences, heads: 2, isCausal: isCausal)
        }
      }
    }

    private func makeImage() throws -> Differentiable {
      let x = try randomTensor([2, 7, 9, 5], seed: 10)
      switch self {
      case .convolution, .stridedConvolution:
        let weight = try randomParameter("weight", [11, 5, 3, 3], seed: 11, scale: 0.3)
        let bias = try randomParameter("bias", [11], seed: 12)
        let stride = self == .convolution ? 1 : 2
        return Differentiable(inputs: [x], parameters: [weight, bias]) { tape, x in
          try tape.convolution(x[0], weight: weight, bias: bias, stride: stride, padding: 1)
        }
      case .pointwiseConvolution:
        let weight = try randomParameter("weight", [13, 5, 1, 1], seed: 11, scale: 0.3)
        return Differentiable(inputs: [x], parameters: [weight]) { tape, x in
          try tape.convolution(x[0], weight: weight, bias: nil, stride: 1, padding: 0)
        }
      case .residualConvolution, .foldedConvolution:
        return try makeResidual(x)
      case .averagePool:
        return Differentiable(inputs: [x]) { tape, x in try tape.averagePool(x[0], kernel: 2) }
      default:
        let weight = try randomParameter("weight", [5], seed: 13, scale: 0.2, around: 1)
        let bias = try randomParameter("bias", [5], seed: 14)
        let norm = BatchNorm(
          weight: weight, bias: bias, runningMean: try randomTensor([5], seed: 15),
          runningVariance: try Tensor([0.5, 1, 2, 0.7, 1.3], [5]), epsilon: 1e-5)
        let isReLU = self == .batchNormReLU
        var result = Differentiable(inputs: [x], parameters: [weight, bias]) { tape, x in
          try tape.batchNorm(x[0], norm, followedByReLU: isReLU)
        }
        result.isTraining = self != .batchNormInference
        return result
      }
    }

    /// Convolutions that add and cut off what is negative themselves.
    private func makeResidual(_ x: Tensor) throws -> Differentiable {
      let weight = try randomParameter("weight", [11, 5, 3, 3], seed: 11, scale: 0.05)
      // Away from the kink of ReLU.
      let terms = randomFloats(2 * 7 * 9 * 11, seed: 12).map { $0 < 0 ? $0 - 4 : $0 + 4 }
      let residual = try Tensor(terms, [2, 7, 9, 11])
      if self == .residualConvolution {
        let bias = try randomParameter("bias", [11], seed: 13, scale: 0.1)
        return Differentiable(inputs: [x, residual], parameters: [weight, bias]) { tape, x in
          try tape.convolution(
            x[0], weight: weight, bias: bias, stride: 1, padding: 1,
            adding: try Self.copy(tape, x[1]), followedByReLU: true)
        }
      }
      let norm = BatchNorm(
        weight: try randomParameter("weight", [11], seed: 13, scale: 0.2, around: 1),
        bias: try randomParameter("bias", [11], seed: 14, scale: 0.1),
        runningMean: try randomTensor([11], seed: 15, scale: 0.1),
        runningVariance: try Tensor((0..<11).map { 0.5 + 0.1 * Float($0) }, [11]), epsilon: 1e-5)
      for parameter in [weight, norm.weight, norm.bias] { parameter.isTrainable = false }
      return Differentiable(inputs: [x, residual]) { tape, x in
        try tape.convolution(
          x[0], weight: weight, foldedNorm: norm, stride: 1, padding: 1,
          adding: try Self.copy(tape, x[1]), followedByReLU: true)
      }
    }

    /// A residual takes the result where nothing is recorded.
    private static func copy(_ tape: Tape, _ x: Variable) throws -> Variable {
      try tape.averagePool(x, kernel: 1)
    }

    private func makeTokens() throws -> Differentiable {
      switch self {
      case .pixels, .patches:
        let x = try randomTensor([2, 3, 11, 9], seed: 16)
        let isPixels = self == .pixels
        var result = Differentiable(inputs: [x]) { tape, x in
          isPixels ? try tape.pixels(x[0]) : try tape.patches(x[0], patchSize: 4)
        }
        result.converts = false
        return result
      case .visualTokens:
        let x = try randomTensor([3 * 4, 21], seed: 17)
        let token = try randomParameter("class", [21], seed: 18)
        let positions = try randomParameter("positions", [5, 21], seed: 19)
        return Differentiable(inputs: [x], parameters: [token, positions]) { tape, x in
          try tape.visualTokens(x[0], classEmbedding: token, positions: positions, batch: 3)
        }
      case .meanToken:
        let x = try randomTensor([2, 3, 4, 21], seed: 20)
        let positions = try randomParameter("positions", [13, 21], seed: 21)
        return Differentiable(inputs: [x], parameters: [positions]) { tape, x in
          try tape.meanToken(x[0], positions: positions)
        }
      default:
        let x = try randomTensor([6, 21], seed: 24)
        return Differentiable(inputs: [x]) { tape, x in
          try tape.rows(x[0], at: [5, 0, 3, 3, 1])
        }
      }
    }
  }

  @Test(arguments: Operation.allCases)
  func backwardMatchesFiniteDifferences(_ operation: Operation) throws {
    try operation.make().expectGradientsMatchFiniteDifferences()
  }

  @Test(.enabled(if: CPUFeatures.computesBF16, "needs AVX-512"), arguments: Operation.allCases)
  func halfPrecisionAgreesWithSingle(_ operation: Operation) throws {
    // ReLU after normalisation: elements near the kink change sides between precisions.
    if operation == .batchNormReLU { return }
    try operation.make().expectHalfPrecisionAgrees()
  }

  @Test(arguments: Operation.allCases)
  func singlePrecisionRepeatsBitForBit(_ operation: Operation) throws {
    try operation.make().expectRepeats(precision: .f32)
  }

  @Test(.enabled(if: CPUFeatures.computesBF16, "needs AVX-512"), arguments: Operation.allCases)
  func halfPrecisionRepeatsBitForBit(_ operation: Operation) throws {
    try operation.make().expectRepeats(precision: .bf16)
  }

  @Test func embeddingBackwardMatchesFiniteDifferences() throws {
    let tokens = TokenBatch([[3, 1, 1, 6], [6, 0], [2, 3, 6]])
    let table = try randomParameter("table", [7, 21], seed: 25)
    let positions = try randomParameter("positions", [5, 21], seed: 26)
    try Differentiable(inputs: [], parameters: [table, positions]) { tape, _ in
      try tape.embedding(tokens, table: table, positions: positions)
    }.expectGradientsMatchFiniteDifferences(most: 150)
  }
}
