import CleanCLIPKit
import Testing

/// Properties of the whole process, which tests that run beside these would disturb: each has a
/// process of its own.
@Suite struct ProcessWideTests {
  @Test func ownKernelsDoNotDependOnTheNumberOfThreads() async {
    await #expect(processExitsWith: .success) {
      func run() throws -> [[Float]] {
        let tape = Tape()
        let x = Variable(try randomTensor([203, 3 * 64], seed: 10), requiresGradient: true)
        let weight = try randomParameter("weight", [192], seed: 11)
        let bias = try randomParameter("bias", [192], seed: 12)
        let norm = try tape.layerNorm(x, weight: weight, bias: bias, epsilon: 1e-5)
        let y = try tape.attention(
          qkv: norm, sequences: Sequences(lengths: [100, 3, 100]), heads: 1, isCausal: false)
        try tape.backward(y, gradient: randomTensor(y.shape, seed: 13))
        return [y.value.floats(), x.gradient?.floats() ?? [], weight.gradient?.floats() ?? []]
      }
      Threads.set(1)
      let one = try run()
      Threads.set(3)
      #expect(Threads.count == 3)
      let three = try run()
      #expect(one == three)
    }
  }

  @Test func aTrainingLoopAllocatesNothingAfterItsFirstSteps() async {
    await #expect(processExitsWith: .success) {
      let weight = try randomParameter("weight", [48, 48], seed: 14)
      let bias = try randomParameter("bias", [48], seed: 15)
      let table = try randomParameter("table", [11, 48], seed: 16)
      let positions = try randomParameter("positions", [8, 48], seed: 17)
      let qkv = try randomParameter("qkv", [144, 48], seed: 18)
      func step() throws {
        let tape = Tape(isTraining: true)
        let tokens = TokenBatch([[1, 2, 3], [4, 5], [6, 7, 8, 9, 10]])
        var x = try tape.embedding(tokens, table: table, positions: positions)
        x = try tape.layerNorm(x, weight: bias, bias: bias, epsilon: 1e-5)
        x = try tape.attention(
          qkv: tape.linear(x, weight: qkv, bias: nil), sequences: tokens.sequences, heads: 3,
          isCausal: true)
        x = try tape.activate(tape.linear(x, weight: weight, bias: bias), .gelu)
        x = try tape.normalize(tape.rows(x, at: [2, 4, 9]))
        try tape.backward(x, gradient: Tensor.zeros(x.shape))
        for parameter in [weight, bias, table, positions, qkv] {
          parameter.gradient = nil
          parameter.valueDidChange()
        }
      }
      try step()
      try step()
      let before = MemoryPool.shared.statistics
      for _ in 0..<3 { try step() }
      let after = MemoryPool.shared.statistics
      #expect(after.liveBytes == before.liveBytes)
      #expect(after.systemAllocations == before.systemAllocations)
    }
  }

  /// Of linear, norm, linear, activation, linear, add, a backward pass reads the input, the input of
  /// the norm and of the activation; the rest is computed again or not needed.
  @Test func onlyWhatABackwardPassReadsIsKept() async {
    await #expect(processExitsWith: .success) {
      let width = 64
      let weight = try randomParameter("weight", [width, width], seed: 19)
      let normWeight = try randomParameter("norm", [width], seed: 20)
      let x = Variable(try randomTensor([512, width], seed: 21), requiresGradient: true)
      func run(_ tape: Tape) throws -> Variable {
        let a = try tape.linear(x, weight: weight, bias: nil)
        let b = try tape.linear(
          tape.layerNorm(a, weight: normWeight, bias: normWeight, epsilon: 1e-5), weight: weight,
          bias: nil)
        let c = try tape.linear(tape.activate(b, .gelu), weight: weight, bias: nil)
        return try tape.add(a, c)
      }
      let warm = Tape()
      try warm.backward(run(warm), gradient: x.value)
      let before = MemoryPool.shared.statistics.liveBytes
      let tape = Tape()
      let y = try run(tape)
      let kept = MemoryPool.shared.statistics.liveBytes - before
      // a, b, the result, and the statistics of 512 rows.
      #expect(kept == 3 * x.value.byteCount + 2 * 512 * 4)
      try tape.backward(y, gradient: x.value)
    }
  }

  @Test func packedWeightsOutliveAStepOnlyInChunks() async {
    await #expect(processExitsWith: .success) {
      let model = try TinyRun.model(resNet: true)
      let recipe = try CleanCLIPRecipe(model, loss: TinyRun.loss)
      let batch = try TinyRun.batch(Array(0..<4), size: 32)
      func liveBytes(chunkSize: Int?) throws -> Int {
        _ = try recipe.accumulateGradients(batch, Pass(chunkSize: chunkSize))
        return MemoryPool.shared.statistics.liveBytes
      }
      let lean = try liveBytes(chunkSize: nil)
      #expect(try liveBytes(chunkSize: 2) > lean)
      for parameter in model.parameters { parameter.valueDidChange() }
      #expect(try liveBytes(chunkSize: nil) == lean)
    }
  }
}
