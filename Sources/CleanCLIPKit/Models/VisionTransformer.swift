/// CLIP's Vision Transformer: patches, class token, `lnPre`, blocks, `lnPost`, projection
/// (Dosovitskiy et al. 2021; Radford et al. 2021, section 2.4).
struct VisionTransformer {
  let configuration: VisionTransformerConfiguration
  let patchWeight: Parameter
  let classEmbedding: Parameter
  let positionalEmbedding: Parameter
  let lnPre: LayerNorm
  let transformer: Transformer
  let lnPost: LayerNorm
  let projection: Parameter

  init(_ configuration: VisionTransformerConfiguration, _ table: ParameterTable) {
    self.configuration = configuration
    let epsilon = configuration.transformer.layerNormEpsilon
    patchWeight = table.parameter("visual.conv1.weight")
    classEmbedding = table.parameter("visual.class_embedding")
    positionalEmbedding = table.parameter("visual.positional_embedding")
    lnPre = LayerNorm(table, "visual.ln_pre", epsilon: epsilon)
    transformer = Transformer(configuration.transformer, table, prefix: "visual.")
    lnPost = LayerNorm(table, "visual.ln_post", epsilon: epsilon)
    projection = table.parameter("visual.proj")
  }

  /// Returns the image features `[B, E]` of pixels `[B, 3, S, S]`.
  func callAsFunction(_ tape: Tape, _ pixels: Variable) throws(CLIPError) -> Variable {
    let batch = pixels.shape[0]
    let tokens = configuration.tokens
    let patches = try tape.patches(pixels, patchSize: configuration.patchSize)
    let embedded = try tape.linear(patches, weight: patchWeight, bias: nil)  // [B g g, D]
    var x = try tape.visualTokens(
      embedded, classEmbedding: classEmbedding, positions: positionalEmbedding, batch: batch)
    x = try lnPre(tape, x)  // [B L, D]
    x = try transformer(
      tape, x, sequences: Sequences(count: batch, length: tokens), isCausal: false,
      keeping: (0..<batch).map { $0 * tokens })  // [B, D]
    return try tape.project(try lnPost(tape, x), weight: projection)
  }
}
