import CleanCLIPKit
import Testing

/// Not-a-number, infinities, single elements and tails.
@Suite struct EdgeCaseTests {
  @Test func conversionRoundsToNearestEvenAndKeepsSpecialValues() throws {
    let values: [Float] = [
      1, -0.0, 1.00390625, 1.01171875, 3.4e38, .infinity, -.infinity, .nan, 1e-40, 65_535,
    ]
    let half = try tensor(values, [values.count]).converted(to: .bf16)
    let expected: [Float] = [
      1, -0.0, 1, 1.015625, .infinity, .infinity, -.infinity, .nan, 0x1p-133, 65_536,
    ]
    expectClose(half.floats(), expected, rtol: 1e-3, atol: 0)
    #expect(half.floats()[1].sign == .minus)
    let widened = try half.converted(to: .f32).floats()
    #expect(widened[3] == 1.015625)
  }

  @Test(arguments: [1, 15, 16, 17, 4095, 4097, 70_001])
  func elementwiseKernelsCoverTheirTails(_ count: Int) throws {
    let a = try randomTensor([count], seed: 1)
    let b = try randomTensor([count], seed: 2)
    let tape = Tape(isRecording: false)
    let sum = try tape.add(Variable(a), Variable(b)).value.floats()
    #expect(sum == zip(a.floats(), b.floats()).map { $0 + $1 })
    let positive = try tape.relu(Variable(a)).value.floats()
    #expect(positive == a.floats().map { max($0, 0) })
  }

  @Test func notANumberPropagates() throws {
    var values = randomFloats(4 * 33, seed: 3)
    values[40] = .nan
    let x = Variable(try tensor(values, [4, 33]))
    let tape = Tape(isRecording: false)
    let ones = Parameter("weight", try tensor(Array(repeating: 1, count: 33), [33]))
    let zeros = Parameter("bias", try Tensor.zeros([33]))
    let results = [
      try tape.relu(x), try tape.activate(x, .gelu), try tape.activate(x, .quickGELU),
      try tape.activate(x, .geluTanh),
    ]
    for result in results { #expect(result.value.floats()[40].isNaN) }
    let norm = try tape.layerNorm(x, weight: ones, bias: zeros, epsilon: 1e-5).value.floats()
    #expect(norm[33..<66].allSatisfy { $0.isNaN })
    #expect(norm[0..<33].allSatisfy { $0.isFinite })
    let unit = try tape.normalize(x).value.floats()
    #expect(unit[33..<66].allSatisfy { $0.isNaN })
    let attention = try tape.attention(
      qkv: x, sequences: Sequences(lengths: [4]), heads: 1, isCausal: false)
    #expect(attention.value.floats().contains { $0.isNaN })
    let image = Variable(x.value.reshaped([1, 4, 1, 33]))
    let filters = try randomParameter("weight", [7, 33, 1, 1], seed: 4)
    let convolution = try tape.convolution(
      image, weight: filters, bias: nil, stride: 1, padding: 0, followedByReLU: true)
    #expect(convolution.value.floats().map(\.isNaN) == (0..<28).map { 7 <= $0 && $0 < 14 })
  }

  @Test func oneSequenceOfOneTokenAttendsToItself() throws {
    let qkv = Variable(try randomTensor([1, 3 * 64], seed: 4), requiresGradient: true)
    let tape = Tape()
    let y = try tape.attention(
      qkv: qkv, sequences: Sequences(lengths: [1]), heads: 4, isCausal: true)
    #expect(y.value.floats() == Array(qkv.value.floats()[128...]))
    try tape.backward(y, gradient: randomTensor([1, 64], seed: 5))
    expectClose(
      Array(qkv.gradient?.floats()[..<128] ?? []), Array(repeating: 0, count: 128), rtol: 0,
      atol: 1e-6)
  }

  @Test func oneImageIsABatch() throws {
    let tape = Tape(isTraining: true)
    let x = Variable(try randomTensor([1, 3, 8, 8], seed: 6))
    let weight = try randomParameter("weight", [4, 3, 3, 3], seed: 7)
    let y = try tape.convolution(
      try tape.pixels(x), weight: weight, bias: nil, stride: 2, padding: 1)
    #expect(y.shape == [1, 4, 4, 4])
    try tape.backward(y, gradient: randomTensor(y.shape, seed: 8))
    #expect(weight.gradient?.floats().allSatisfy { $0.isFinite } == true)
  }

  @Test func attentionDoesNotDependOnItsNeighbours() throws {
    let qkv = try randomTensor([12, 96], seed: 9)
    let tape = Tape(isRecording: false)
    let together = try tape.attention(
      qkv: Variable(qkv), sequences: Sequences(lengths: [5, 7]), heads: 2, isCausal: true)
    let alone = try tape.attention(
      qkv: Variable(qkv.slice(5..<12)), sequences: Sequences(lengths: [7]), heads: 2,
      isCausal: true)
    #expect(Array(together.value.floats()[(5 * 32)...]) == alone.value.floats())
  }
}
