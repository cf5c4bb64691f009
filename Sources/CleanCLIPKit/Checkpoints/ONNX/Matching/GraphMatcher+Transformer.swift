internal import ONNXGraphs

/// One residual attention block.
struct BlockMatch {
  let ln1: NormMatch
  let attention: SelfAttentionMatch
  let output: LinearMatch
  let ln2: NormMatch
  let fc: LinearMatch
  let projection: LinearMatch
  let activation: Activation
}

extension GraphMatcher {
  /// A sum of a branch that ends with a linear layer and the stream that it is added to.
  private func matchResidual(
    _ value: GraphValue
  ) throws(CLIPError) -> (branch: GraphValue, stream: GraphValue, biases: [GraphValue])? {
    let (inner, biases) = try strippingBias(value)
    guard case .binary(.add, let a, let b)? = computation(inner), a.constant == nil,
      b.constant == nil
    else { return nil }
    let first = compose(inner, a)
    let second = compose(inner, b)
    for (branch, stream) in [(first, second), (second, first)] where isLinear(branch) {
      if isLinear(stream) {
        // A fused operator may have put the branch's bias on the stream: the stream is a sum.
        continue
      }
      // A constant on the stream belongs to the branch: x + b + f(x).
      if case .binary(.add, let p, let q)? = computation(stream),
        (p.constant == nil) != (q.constant == nil),
        let bias = aligned(p.constant != nil ? p : q, to: stream, [.feature]), biases.isEmpty,
        case .linear? = computation(branch)
      {
        return (branch, compose(stream, p.constant != nil ? q : p), [bias])
      }
      return (branch, stream, biases)
    }
    return nil
  }

  /// Recognises the blocks above `value`; returns them in order and the tensor that they start from.
  func matchBlocks(
    _ value: GraphValue, _ role: String
  ) throws(CLIPError) -> (blocks: [BlockMatch], input: GraphValue) {
    var blocks: [BlockMatch] = []
    var value = value
    while let (branch, middle, biases) = try matchResidual(value) {
      let number = "block \(blocks.count + 1) from the end of \(role)"
      let projection = try matchLinear(
        branch, "the last linear layer of \(number)", extraBiases: biases)
      guard let (activation, hidden) = try matchActivation(projection.input) else {
        throw mismatch(projection.input, expected: "QuickGELU or GELU in \(number)")
      }
      let fc = try matchLinear(hidden, "the first linear layer of the MLP of \(number)")
      let ln2 = try matchNorm(fc.input, "the layer normalisation before the MLP of \(number)")
      guard isSame(ln2.input, middle) else {
        throw mismatch(middle, expected: "the tensor that the MLP of \(number) reads")
      }
      guard let (attended, stream, outerBiases) = try matchResidual(middle) else {
        throw mismatch(middle, expected: "the sum behind the attention of \(number)")
      }
      let output = try matchLinear(
        attended, "the output projection of the attention of \(number)", extraBiases: outerBiases)
      let attention = try matchSelfAttention(output.input, number)
      let ln1 = try matchNorm(
        attention.key.input, "the layer normalisation before the attention of \(number)")
      guard ln1.input.origin == stream.origin else {
        throw mismatch(stream, expected: "the tensor that the attention of \(number) reads")
      }
      try requireUnscaled([projection, fc, output], at: value)
      blocks.append(
        BlockMatch(
          ln1: ln1, attention: attention, output: output, ln2: ln2, fc: fc,
          projection: projection, activation: activation))
      value = ln1.input
    }
    return (blocks.reversed(), value)
  }

  func requireUnscaled(_ layers: [LinearMatch], at value: GraphValue) throws(CLIPError) {
    for layer in layers where !isClose(layer.scale, 1) {
      throw mismatch(value, expected: "a linear layer without a factor", got: "\(layer.scale)")
    }
  }

  /// What blocks have in common, checked to be the same in all of them.
  func configuration(
    _ blocks: [BlockMatch], norms: [NormMatch], mask: AttentionMask, at value: GraphValue,
    _ role: String
  ) throws(CLIPError) -> TransformerConfiguration {
    guard let first = blocks.first else {
      throw mismatch(value, expected: "at least one residual attention block in \(role)")
    }
    let width = first.ln1.weight.count
    let epsilon = first.ln1.epsilon
    for (index, block) in blocks.enumerated() {
      guard block.attention.mask == mask else {
        throw mismatch(
          block.output.input,
          expected: mask == .causal
            ? "causal attention in \(role)" : "attention without a mask in \(role)",
          got: mask == .causal ? "no causal mask in block \(index)" : "a mask in block \(index)",
          remedy: mask == .causal
            ? "text towers that see following tokens (SigLIP, BERT) are not supported" : nil)
      }
      guard block.attention.heads == first.attention.heads,
        block.activation == first.activation,
        block.fc.weight.dimensions == first.fc.weight.dimensions
      else {
        throw mismatch(block.output.input, expected: "equal blocks in \(role)")
      }
      for dimension in [
        block.ln1.weight.count, block.ln2.weight.count, block.output.weight.dimensions[1],
      ]
      where dimension != width {
        throw mismatch(
          block.output.input, expected: "width \(width) in \(role)", got: "\(dimension)")
      }
    }
    for norm in blocks.flatMap({ [$0.ln1, $0.ln2] }) + norms where norm.epsilon != epsilon {
      throw mismatch(
        norm.input, expected: "one epsilon in all layer normalisations of \(role)",
        got: "\(epsilon) and \(norm.epsilon)")
    }
    return TransformerConfiguration(
      width: width, layers: blocks.count, heads: first.attention.heads,
      mlpWidth: first.fc.weight.dimensions[1], activation: first.activation,
      layerNormEpsilon: epsilon)
  }
}
