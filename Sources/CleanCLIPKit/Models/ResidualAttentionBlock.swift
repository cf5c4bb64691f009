/// One pre-norm transformer block, `x + attention(ln1(x))`, then `x + mlp(ln2(x))`.
struct ResidualAttentionBlock {
  let configuration: TransformerConfiguration
  let ln1: LayerNorm
  let attentionWeight: Parameter
  let attentionBias: Parameter
  let output: Linear
  let ln2: LayerNorm
  let expansion: Linear
  let contraction: Linear

  init(_ configuration: TransformerConfiguration, _ table: ParameterTable, prefix: String) {
    self.configuration = configuration
    ln1 = LayerNorm(table, prefix + "ln_1", epsilon: configuration.layerNormEpsilon)
    attentionWeight = table.parameter(prefix + "attn.in_proj_weight")
    attentionBias = table.parameter(prefix + "attn.in_proj_bias")
    output = Linear(table, prefix + "attn.out_proj")
    ln2 = LayerNorm(table, prefix + "ln_2", epsilon: configuration.layerNormEpsilon)
    expansion = Linear(table, prefix + "mlp.c_fc")
    contraction = Linear(table, prefix + "mlp.c_proj")
  }

  /// Applies the block.
  ///
  /// - Parameters:
  ///   - x: `[N, D]`.
  ///   - rows: the rows that are wanted, in this order; all when `nil`.
  /// - Returns: `[N, D]`, or `[rows, D]`. What the other rows would cost after attention is saved.
  func callAsFunction(
    _ tape: Tape, _ x: Variable, sequences: Sequences, isCausal: Bool, keeping rows: [Int]? = nil
  ) throws(CLIPError) -> Variable {
    let qkv = try tape.linear(
      try ln1(tape, x), weight: attentionWeight, bias: attentionBias)  // [N, 3 D]
    var attended = try tape.attention(
      qkv: qkv, sequences: sequences, heads: configuration.heads, isCausal: isCausal)
    var residual = x
    if let rows {
      attended = try tape.rows(attended, at: rows)
      residual = try tape.rows(residual, at: rows)
    }
    residual = try tape.add(residual, try output(tape, attended))
    let hidden = try tape.activate(
      try expansion(tape, try ln2(tape, residual)), configuration.activation)
    return try tape.add(residual, try contraction(tape, hidden))
  }
}

/// A stack of blocks of which one row of each sequence is wanted at the end.
struct Transformer {
  let blocks: [ResidualAttentionBlock]

  init(_ configuration: TransformerConfiguration, _ table: ParameterTable, prefix: String) {
    blocks = (0..<configuration.layers).map { index in
      ResidualAttentionBlock(
        configuration, table, prefix: "\(prefix)transformer.resblocks.\(index).")
    }
  }

  /// Applies the blocks to `[N, D]` and returns the chosen rows, `[rows, D]`.
  func callAsFunction(
    _ tape: Tape, _ x: Variable, sequences: Sequences, isCausal: Bool, keeping rows: [Int]
  ) throws(CLIPError) -> Variable {
    guard let last = blocks.last else { return try tape.rows(x, at: rows) }
    var x = x
    for block in blocks.dropLast() {
      x = try block(tape, x, sequences: sequences, isCausal: isCausal)
    }
    return try last(tape, x, sequences: sequences, isCausal: isCausal, keeping: rows)
  }
}

/// The parameters of a layer norm.
struct LayerNorm {
  let weight: Parameter
  let bias: Parameter
  let epsilon: Float

  init(_ table: ParameterTable, _ name: String, epsilon: Float) {
    weight = table.parameter(name + ".weight")
    bias = table.parameter(name + ".bias")
    self.epsilon = epsilon
  }

  func callAsFunction(_ tape: Tape, _ x: Variable) throws(CLIPError) -> Variable {
    try tape.layerNorm(x, weight: weight, bias: bias, epsilon: epsilon)
  }
}

/// The parameters of an affine layer.
struct Linear {
  let weight: Parameter
  let bias: Parameter

  init(_ table: ParameterTable, _ name: String) {
    weight = table.parameter(name + ".weight")
    bias = table.parameter(name + ".bias")
  }

  func callAsFunction(_ tape: Tape, _ x: Variable) throws(CLIPError) -> Variable {
    try tape.linear(x, weight: weight, bias: bias)
  }
}
