/// The nodes of pre-norm residual attention blocks on `[B, L, D]`.
struct TransformerGraph {
  let configuration: TransformerConfiguration
  let builder: GraphBuilder
  let weights: Weights
  /// Tokens, L.
  let length: Int

  /// Adds all blocks below `prefix` and returns their result.
  func blocks(_ x: String, prefix: String, mask: String?) throws(CLIPError) -> String {
    var x = x
    for index in 0..<configuration.layers {
      let block = "\(prefix)transformer.resblocks.\(index)."
      let attended = try attention(try norm(x, block + "ln_1"), block + "attn.", mask: mask)
      x = builder.node("Add", [x, attended])
      let hidden = try linear(try norm(x, block + "ln_2"), block + "mlp.c_fc")
      x = builder.node("Add", [x, try linear(activation(hidden), block + "mlp.c_proj")])
    }
    return x
  }

  func norm(_ x: String, _ name: String) throws(CLIPError) -> String {
    builder.node(
      "LayerNormalization", [x, try weights[name + ".weight"], try weights[name + ".bias"]],
      integers: ["axis": -1], floats: ["epsilon": configuration.layerNormEpsilon])
  }

  private func linear(_ x: String, _ name: String) throws(CLIPError) -> String {
    try builder.linear(x, weight: weights[name + ".weight"], bias: weights[name + ".bias"])
  }

  private func attention(
    _ x: String, _ name: String, mask: String?
  ) throws(CLIPError) -> String {
    let (width, heads) = (configuration.width, configuration.heads)
    let headWidth = width / heads
    let joined = try builder.linear(
      x, weight: weights[name + "in_proj_weight"], bias: weights[name + "in_proj_bias"])
    let (query, key, value) = builder.splitInThree(joined, width: width)
    let shape = builder.integers([-1, length, heads, headWidth])
    func perHead(_ x: String, _ order: [Int]) -> String {
      builder.node(
        "Transpose", [builder.node("Reshape", [x, shape])], ints: ["perm": order])
    }
    let scale = 1 / Float(headWidth).squareRoot()
    let scaled = builder.node("Mul", [perHead(query, [0, 2, 1, 3]), builder.number(scale)])
    var scores = builder.node("MatMul", [scaled, perHead(key, [0, 2, 3, 1])])  // [B, H, L, L]
    if let mask { scores = builder.node("Add", [scores, mask]) }
    let probabilities = builder.node("Softmax", [scores], integers: ["axis": -1])
    let mixed = builder.node("MatMul", [probabilities, perHead(value, [0, 2, 1, 3])])
    let tokens = builder.node("Transpose", [mixed], ints: ["perm": [0, 2, 1, 3]])
    let output = builder.node("Reshape", [tokens, builder.integers([-1, length, width])])
    return try linear(output, name + "out_proj")
  }

  private func activation(_ x: String) -> String {
    switch configuration.activation {
    case .quickGELU:
      let scaled = builder.node("Mul", [x, builder.number(1.702)])
      return builder.node("Mul", [x, builder.node("Sigmoid", [scaled])])
    case .gelu:
      let scaled = builder.node("Div", [x, builder.number(Float(2).squareRoot())])
      let one = builder.node("Add", [builder.node("Erf", [scaled]), builder.number(1)])
      return builder.node("Mul", [builder.node("Mul", [x, one]), builder.number(0.5)])
    case .geluTanh:
      let cube = builder.node("Mul", [builder.node("Mul", [x, x]), x])
      let inner = builder.node(
        "Add", [x, builder.node("Mul", [cube, builder.number(0.044715)])])
      let scaled = builder.node("Mul", [inner, builder.number((2 / Float.pi).squareRoot())])
      let one = builder.node("Add", [builder.node("Tanh", [scaled]), builder.number(1)])
      return builder.node("Mul", [builder.node("Mul", [x, one]), builder.number(0.5)])
    }
  }
}

extension GraphBuilder {
  /// x Wᵀ + b with W as PyTorch stores it; runtimes fold the transpose when they load.
  func linear(_ x: String, weight: String, bias: String) -> String {
    let transposed = node("Transpose", [weight], ints: ["perm": [1, 0]])
    return node("Add", [node("MatMul", [x, transposed]), bias])
  }

  /// The size of the first axis of a value, as a vector of one.
  func batch(of x: String) -> String {
    let size = node("Gather", [node("Shape", [x]), integer(0)], integers: ["axis": 0])
    return node("Unsqueeze", [size, integers([0])])
  }
}
