extension ONNXGraphBuilder {
  /// Unit-length rows: x / max(|x|, 1e-12).
  mutating func normalized(
    _ x: String, _ name: String, output: String
  ) throws(CLIPError) -> String {
    let norm = node(
      "ReduceL2", [x], name + "/norm", [("axes", .integers([-1])), ("keepdims", .integer(1))])
    let limited = node("Clip", [norm, try scalar(1e-12)], name + "/clip")
    return node("Div", [x, limited], name + "/div", output: output)
  }

  /// x · Wᵀ + b with PyTorch's weight [out, in].
  mutating func linear(_ x: String, _ name: String) throws(CLIPError) -> String {
    let product = node("MatMul", [x, try transposedWeight(name + ".weight")], name + "/matmul")
    return node("Add", [product, try weight(name + ".bias")], name + "/add")
  }

  mutating func layerNorm(
    _ x: String, _ name: String, epsilon: Float
  ) throws(CLIPError) -> String {
    node(
      "LayerNormalization", [x, try weight(name + ".weight"), try weight(name + ".bias")], name,
      [("axis", .integer(-1)), ("epsilon", .float(epsilon))])
  }

  mutating func activation(
    _ x: String, _ activation: Activation, _ name: String
  ) throws(CLIPError) -> String {
    switch activation {
    case .quickGELU:
      let scaled = node("Mul", [x, try scalar(1.702)], name + "/scale")
      let gate = node("Sigmoid", [scaled], name + "/sigmoid")
      return node("Mul", [x, gate], name + "/mul")
    case .gelu:
      let scaled = node("Div", [x, try scalar(Float(2).squareRoot())], name + "/scale")
      let erf = node("Erf", [scaled], name + "/erf")
      return try gate(x, erf, name)
    case .geluTanh:
      let cube = node("Pow", [x, try scalar(3)], name + "/cube")
      let term = node("Mul", [cube, try scalar(0.044715)], name + "/term")
      let sum = node("Add", [x, term], name + "/sum")
      let factor = (2 / Float.pi).squareRoot()
      let tanh = node(
        "Tanh", [node("Mul", [sum, try scalar(factor)], name + "/scale")], name + "/tanh")
      return try gate(x, tanh, name)
    }
  }

  /// x · (1 + g) · 0.5
  private mutating func gate(_ x: String, _ g: String, _ name: String) throws(CLIPError) -> String {
    let sum = node("Add", [g, try scalar(1)], name + "/add")
    let product = node("Mul", [x, sum], name + "/mul")
    return node("Mul", [product, try scalar(0.5)], name + "/half")
  }

  /// softmax(q · kᵀ / √(D/H) + mask) · v; operands and result [n, tokens, D].
  mutating func attention(
    _ q: String, _ k: String, _ v: String, width: Int, heads: Int, mask: String?, _ name: String
  ) throws(CLIPError) -> String {
    let headWidth = width / heads
    let shape = integers([0, 0, heads, headWidth])
    var parts: [String] = []
    for (part, letter, order) in [
      (q, "q", [0, 2, 1, 3]), (k, "k", [0, 2, 3, 1]), (v, "v", [0, 2, 1, 3]),
    ] {
      let split = node("Reshape", [part, shape], "\(name)/\(letter)_heads")
      parts.append(
        node("Transpose", [split], "\(name)/\(letter)_transpose", [("perm", .integers(order))]))
    }
    let scaled = node(
      "Mul", [parts[0], try scalar(1 / Float(headWidth).squareRoot())], name + "/scale")
    var scores = node("MatMul", [scaled, parts[1]], name + "/scores")
    if let mask { scores = node("Add", [scores, mask], name + "/mask") }
    let weights = node("Softmax", [scores], name + "/softmax", [("axis", .integer(-1))])
    let attended = node("MatMul", [weights, parts[2]], name + "/attend")
    let joined = node(
      "Transpose", [attended], name + "/transpose", [("perm", .integers([0, 2, 1, 3]))])
    return node("Reshape", [joined, integers([0, 0, width])], name + "/join")
  }

  /// The residual attention blocks under `prefix`; x is [n, tokens, D].
  mutating func blocks(
    _ x: String, _ configuration: TransformerConfiguration, prefix: String, mask: String?
  ) throws(CLIPError) -> String {
    var x = x
    let width = configuration.width
    for index in 0..<configuration.layers {
      let name = "\(prefix)transformer.resblocks.\(index)"
      let ln1 = try layerNorm(x, name + ".ln_1", epsilon: configuration.layerNormEpsilon)
      let product = node(
        "MatMul", [ln1, try transposedWeight(name + ".attn.in_proj_weight")],
        name + ".attn.in_proj/matmul")
      let packed = node(
        "Add", [product, try weight(name + ".attn.in_proj_bias")], name + ".attn.in_proj/add")
      let parts = ["q", "k", "v"].map { "\(name).attn/\($0)" }
      node(
        "Split", [packed, integers([width, width, width])], name + ".attn/split",
        [("axis", .integer(-1))], outputs: parts)
      let attended = try attention(
        parts[0], parts[1], parts[2], width: width, heads: configuration.heads, mask: mask,
        name + ".attn")
      let output = try linear(attended, name + ".attn.out_proj")
      x = node("Add", [x, output], name + "/attention_residual")
      let ln2 = try layerNorm(x, name + ".ln_2", epsilon: configuration.layerNormEpsilon)
      let hidden = try activation(
        try linear(ln2, name + ".mlp.c_fc"), configuration.activation, name + ".mlp.gelu")
      x = node("Add", [x, try linear(hidden, name + ".mlp.c_proj")], name + "/mlp_residual")
    }
    return x
  }

  /// The image tower up to raw features [n, E].
  mutating func visionTransformer(
    _ configuration: VisionTransformerConfiguration, _ image: String
  ) throws(CLIPError) -> String {
    let width = configuration.transformer.width
    let epsilon = configuration.transformer.layerNormEpsilon
    let patch = configuration.patchSize
    let map = node(
      "Conv", [image, try weight("visual.conv1.weight")], "visual.conv1",
      [("kernel_shape", .integers([patch, patch])), ("strides", .integers([patch, patch]))])
    let flat = node("Reshape", [map, integers([0, width, -1])], "visual/flatten")
    let patches = node("Transpose", [flat], "visual/transpose", [("perm", .integers([0, 2, 1]))])
    let shape = node(
      "Shape", [image], "visual/shape", [("start", .integer(0)), ("end", .integer(1))])
    let target = node(
      "Concat", [shape, integers([1, width])], "visual/class_shape", [("axis", .integer(0))])
    let classToken = node(
      "Expand", [try weight("visual.class_embedding"), target], "visual/class_token")
    let tokens = node("Concat", [classToken, patches], "visual/tokens", [("axis", .integer(1))])
    var x = node("Add", [tokens, try weight("visual.positional_embedding")], "visual/positions")
    x = try layerNorm(x, "visual.ln_pre", epsilon: epsilon)
    x = try blocks(x, configuration.transformer, prefix: "visual.", mask: nil)
    let first = add("token_0", [], .integers([0]))
    x = node("Gather", [x, first], "visual/class_feature", [("axis", .integer(1))])
    x = try layerNorm(x, "visual.ln_post", epsilon: epsilon)
    return node("MatMul", [x, try weight("visual.proj")], "visual/proj")
  }

  /// The text tower up to raw features [m, E].
  mutating func textTransformer(
    _ configuration: TextConfiguration, _ text: String
  ) throws(CLIPError) -> String {
    let length = configuration.contextLength
    let embedded = node("Gather", [try weight("token_embedding.weight"), text], "token_embedding")
    var x = node("Add", [embedded, try weight("positional_embedding")], "positions")
    let mask = try Tensor.zeros([length, length])
    for row in 0..<length {
      for column in row + 1..<max(length, row + 1) { mask.f32[row * length + column] = -.infinity }
    }
    let maskName = add("causal_mask", [length, length], .tensor(mask))
    x = try blocks(x, configuration.transformer, prefix: "", mask: maskName)
    x = try layerNorm(
      x, "ln_final", epsilon: configuration.transformer.layerNormEpsilon)
    var marks = text
    if case .id(let id) = configuration.endOfText {
      let equal = node("Equal", [text, add("end_of_text", [], .integers([Int(id)]))], "end/equal")
      marks = node("Cast", [equal], "end/cast", [("to", .integer(ElementType.i32.onnxNumber))])
    }
    let end = node(
      "ArgMax", [marks], "end/position", [("axis", .integer(-1)), ("keepdims", .integer(1))])
    let feature = node(
      "GatherND", [x, end], "end/feature", [("batch_dims", .integer(1))])
    return node("MatMul", [feature, try weight("text_projection")], "text_projection/matmul")
  }
}
