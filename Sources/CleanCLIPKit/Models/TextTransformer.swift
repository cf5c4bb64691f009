/// CLIP's causal text transformer; the feature of a caption is that of its end-of-text token.
struct TextTransformer {
  let configuration: TextConfiguration
  let tokenEmbedding: Parameter
  let positionalEmbedding: Parameter
  let transformer: Transformer
  let lnFinal: LayerNorm
  let projection: Parameter

  init(_ configuration: TextConfiguration, _ table: ParameterTable) {
    self.configuration = configuration
    tokenEmbedding = table.parameter("token_embedding.weight")
    positionalEmbedding = table.parameter("positional_embedding")
    transformer = Transformer(configuration.transformer, table, prefix: "")
    lnFinal = LayerNorm(
      table, "ln_final", epsilon: configuration.transformer.layerNormEpsilon)
    projection = table.parameter("text_projection")
  }

  /// Returns the text features `[B, E]` of captions.
  func callAsFunction(_ tape: Tape, _ tokens: TokenBatch) throws(CLIPError) -> Variable {
    let x = try tape.embedding(tokens, table: tokenEmbedding, positions: positionalEmbedding)
    let ends = tokens.sequences.offsets.dropFirst().map { Int($0) - 1 }
    let y = try transformer(tape, x, sequences: tokens.sequences, isCausal: true, keeping: ends)
    return try tape.project(try lnFinal(tape, y), weight: projection)
  }
}
