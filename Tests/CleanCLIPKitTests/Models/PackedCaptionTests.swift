import CleanCLIPKit
import Testing

/// Captions computed up to their end-of-text token, against all tokens of a padded context as
/// OpenCLIP's text tower computes them.
@Suite struct PackedCaptionTests {
  private let model: CLIPModel
  /// Lengths from 2 to the whole context.
  private let tokens: TokenBatch

  init() throws {
    model = try TinyRun.model()
    tokens = try TinyRun.batch(Array(0..<9)).tokens
  }

  private func gradients(of features: Variable, _ tape: Tape) throws -> [String: [Float]] {
    try tape.backward(features, gradient: randomTensor(features.shape, seed: 6))
    var result: [String: [Float]] = [:]
    for parameter in model.parameters {
      result[parameter.name] = parameter.gradient?.floats()
      parameter.gradient = nil
    }
    return result
  }

  /// Every token of the context through every layer, features taken at the end-of-text token.
  private func paddedFeatures(_ tape: Tape) throws -> Variable {
    let text = try #require(model.configuration.text)
    let length = text.contextLength
    var parameters: [String: Parameter] = [:]
    for parameter in model.parameters { parameters[parameter.name] = parameter }
    func parameter(_ name: String) throws -> Parameter { try #require(parameters[name]) }
    func norm(_ x: Variable, _ name: String) throws -> Variable {
      try tape.layerNorm(
        x, weight: parameter(name + ".weight"), bias: parameter(name + ".bias"),
        epsilon: text.transformer.layerNormEpsilon)
    }
    func linear(_ x: Variable, _ name: String, _ separator: String = ".") throws -> Variable {
      try tape.linear(
        x, weight: parameter(name + separator + "weight"),
        bias: parameter(name + separator + "bias"))
    }

    let padded = TokenBatch(
      (0..<tokens.count).map { row in
        tokens[row] + Array(repeating: 0, count: length - tokens[row].count)
      })
    var x = try tape.embedding(
      padded, table: parameter("token_embedding.weight"),
      positions: parameter("positional_embedding"))
    for layer in 0..<text.transformer.layers {
      let block = "transformer.resblocks.\(layer)."
      let qkv = try linear(norm(x, block + "ln_1"), block + "attn.in_proj", "_")
      let attended = try tape.attention(
        qkv: qkv, sequences: padded.sequences, heads: text.transformer.heads, isCausal: true)
      x = try tape.add(x, linear(attended, block + "attn.out_proj"))
      let hidden = try tape.activate(
        linear(norm(x, block + "ln_2"), block + "mlp.c_fc"), text.transformer.activation)
      x = try tape.add(x, linear(hidden, block + "mlp.c_proj"))
    }
    let features = try tape.project(
      norm(x, "ln_final"), weight: parameter("text_projection"))
    return try tape.rows(
      features, at: (0..<tokens.count).map { $0 * length + tokens[$0].count - 1 })
  }

  @Test func featuresAndGradientsAreThoseOfPaddedCaptions() throws {
    #expect(Set((0..<tokens.count).map { tokens[$0].count }).count > 3)
    let tape = Tape()
    let packed = try model.textFeatures(tape, tokens)
    let actual = try gradients(of: packed, tape)
    let other = Tape()
    let padded = try paddedFeatures(other)
    let expected = try gradients(of: padded, other)

    #expect(relativeError(packed.value.floats(), padded.value.floats()) < 1e-5)
    #expect(actual.count > 20 && Set(actual.keys) == Set(expected.keys))
    // Some gradients are next to 0, such as those of the keys' biases, and rounding is all there is.
    let norm = expected.values.joined().reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    for (name, gradient) in expected {
      let error = relativeError(try #require(actual[name]), gradient, floor: 1e-3 * norm)
      #expect(error < 1e-5, "\(name)")
    }
  }
}
