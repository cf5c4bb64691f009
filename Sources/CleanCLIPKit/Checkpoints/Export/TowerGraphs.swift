/// The nodes of a Vision Transformer.
struct VisionTransformerGraph {
  private let configuration: VisionTransformerConfiguration
  private let builder: GraphBuilder
  private let weights: Weights

  init(
    _ configuration: VisionTransformerConfiguration, _ builder: GraphBuilder, _ weights: Weights
  ) {
    self.configuration = configuration
    self.builder = builder
    self.weights = weights
  }

  /// Returns raw features `[B, E]` of pixels `[B, 3, S, S]`.
  func features(_ pixels: String) throws(CLIPError) -> String {
    let (patch, width) = (configuration.patchSize, configuration.transformer.width)
    let transformer = TransformerGraph(
      configuration: configuration.transformer, builder: builder, weights: weights,
      length: configuration.tokens)
    let grid = builder.node(
      "Conv", [pixels, try weights["visual.conv1.weight"]],
      ints: ["kernel_shape": [patch, patch], "strides": [patch, patch]])
    let flat = builder.node(
      "Reshape", [grid, builder.integers([-1, width, configuration.tokens - 1])])
    let patches = builder.node("Transpose", [flat], ints: ["perm": [0, 2, 1]])
    let shape = builder.node(
      "Concat", [builder.batch(of: pixels), builder.integers([1, width])], integers: ["axis": 0])
    let token = builder.node("Expand", [try weights["visual.class_embedding"], shape])
    var x = builder.node("Concat", [token, patches], integers: ["axis": 1])
    x = builder.node("Add", [x, try weights["visual.positional_embedding"]])
    x = try transformer.norm(x, "visual.ln_pre")
    x = try transformer.blocks(x, prefix: "visual.", mask: nil)
    x = builder.node("Gather", [x, builder.integer(0)], integers: ["axis": 1])
    x = try transformer.norm(x, "visual.ln_post")
    return builder.node("MatMul", [x, try weights["visual.proj"]])
  }
}

/// The nodes of the causal text transformer.
struct TextTransformerGraph {
  private let configuration: TextConfiguration
  private let builder: GraphBuilder
  private let weights: Weights

  init(_ configuration: TextConfiguration, _ builder: GraphBuilder, _ weights: Weights) {
    self.configuration = configuration
    self.builder = builder
    self.weights = weights
  }

  /// Returns raw features `[B, E]` of token ids `[B, L]`.
  func features(_ ids: String) throws(CLIPError) -> String {
    let transformer = TransformerGraph(
      configuration: configuration.transformer, builder: builder, weights: weights,
      length: configuration.contextLength)
    var x = builder.node(
      "Gather", [try weights["token_embedding.weight"], ids], integers: ["axis": 0])
    x = builder.node("Add", [x, try weights["positional_embedding"]])
    x = try transformer.blocks(
      x, prefix: "", mask: builder.causalMask(configuration.contextLength))
    x = try transformer.norm(x, "ln_final")
    x = builder.node("GatherND", [x, endOfText(ids)])
    return builder.node("MatMul", [x, try weights["text_projection"]])
  }

  /// Pairs of caption and position of its end-of-text token, `[B, 2]`.
  private func endOfText(_ ids: String) -> String {
    var marked = ids
    if case .id(let id) = configuration.endOfText {
      let equal = builder.node("Equal", [ids, builder.integer(Int(id))])
      marked = builder.node(
        "Cast", [equal], integers: ["to": Int(GraphBuilder.ElementType.int32.rawValue)])
    }
    let position = builder.node("ArgMax", [marked], integers: ["axis": -1, "keepdims": 0])
    let count = builder.node(
      "Gather", [builder.node("Shape", [ids]), builder.integer(0)], integers: ["axis": 0])
    let caption = builder.node("Range", [builder.integer(0), count, builder.integer(1)])
    let last = builder.integers([-1])
    return builder.node(
      "Concat",
      [
        builder.node("Unsqueeze", [caption, last]), builder.node("Unsqueeze", [position, last]),
      ], integers: ["axis": -1])
  }
}
