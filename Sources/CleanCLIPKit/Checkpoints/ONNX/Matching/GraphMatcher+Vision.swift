internal import ONNXGraphs

/// An image tower with its configuration.
struct VisionMatch {
  var tower: TowerMatch
  let configuration: VisionConfiguration
}

extension GraphMatcher {
  /// Recognises the image tower that makes `features` [n, E], not normalised.
  func matchVision(_ features: GraphValue) throws(CLIPError) -> VisionMatch {
    if case .layerNorm? = computation(features) {
      throw mismatch(
        features, expected: "the projection of image features into the joint space",
        remedy: "export the model with its projection (CLIPVisionModelWithProjection)")
    }
    if case .reduction(.mean, _, _)? = computation(features) {
      throw mismatch(
        features, expected: "the feature of the class token",
        remedy: "towers that average their tokens are not supported")
    }
    let projection = try matchLinear(features, "the projection of image features")
    let input = projection.input
    if case .reduction(.mean, _, _)? = computation(input) {
      throw mismatch(
        input, expected: "the class token or an attention pool before the projection",
        got: "the mean of the tokens", remedy: "towers that average their tokens are not supported")
    }
    if isAttention(input) { return try matchResNet(projection) }
    guard projection.bias == nil else {
      throw mismatch(
        features, expected: "a projection without bias of a Vision Transformer",
        got: "one with a bias")
    }
    return try matchVisionTransformer(projection)
  }

  private func matchVisionTransformer(_ projection: LinearMatch) throws(CLIPError) -> VisionMatch {
    let post = try matchNorm(
      projection.input, "the layer normalisation before the projection of image features")
    guard post.input.layout.factors(.token).isEmpty, post.input.layout.offset(.token) == 0 else {
      if case .reduction? = computation(post.input) {
        throw mismatch(
          post.input, expected: "the class token", remedy: "averaged tokens are not supported")
      }
      throw mismatch(
        post.input, expected: "the class token, token 0",
        got:
          "token \(post.input.layout.offset(.token)) and \(post.input.layout.factors(.token).count)"
          + " axes of tokens")
    }
    let (blocks, input) = try matchBlocks(post.input, "the image tower")
    let pre = try matchNorm(input, "the layer normalisation before the blocks of the image tower")
    let transformer = try configuration(
      blocks, norms: [pre, post], mask: .none, at: input, "the image tower")
    guard case .binary(.add, let a, let b)? = computation(pre.input),
      (a.constant == nil) != (b.constant == nil)
    else {
      throw mismatch(pre.input, expected: "the sum of tokens and their positions")
    }
    let constant = a.constant != nil ? a : b
    let tokens = compose(pre.input, a.constant != nil ? b : a)
    guard let positions = aligned(constant, to: pre.input, [.token, .feature]) else {
      throw mismatch(
        pre.input, expected: "positions [tokens, width]", got: "\(constant.dimensions)")
    }
    let (classToken, copies, patches) = try matchClassToken(tokens)
    let (convolution, size) = try matchPatches(patches)
    let grid = size / convolution.stride
    guard positions.dimensions == [grid * grid + 1, transformer.width] else {
      throw mismatch(
        pre.input, expected: "positions [\(grid * grid + 1), \(transformer.width)]",
        got: "\(positions.dimensions)")
    }
    var tower = TowerMatch()
    tower.embedDim = projection.weight.dimensions[1]
    var classParameter = MatchedParameter("visual.class_embedding", classToken)
    classParameter.copies = copies
    tower.parameters.append(classParameter)
    tower.add("visual.positional_embedding", positions)
    tower.add("visual.proj", projection.weight)
    tower.add("visual.conv1.weight", convolution.weight)
    tower.add("visual.ln_pre", pre)
    try tower.add(blocks, prefix: "visual.", at: self)
    tower.add("visual.ln_post", post)
    try requireUnscaled([projection], at: projection.input)
    return VisionMatch(
      tower: tower,
      configuration: .transformer(
        VisionTransformerConfiguration(
          imageSize: size, patchSize: convolution.stride, transformer: transformer)))
  }

  /// The class token, further rows that hold it when the batch is fixed, and the patches behind it.
  private func matchClassToken(
    _ tokens: GraphValue
  ) throws(CLIPError) -> (token: GraphValue, copies: [ParameterPiece], patches: GraphValue) {
    guard case .concatenation(let parts, let axis)? = computation(tokens), parts.count == 2,
      parts[0].constant != nil, parts[1].expression != nil, parts[0].dimensions[axis] == 1
    else {
      throw mismatch(
        tokens, expected: "a constant class token in front of the patches",
        remedy: "Vision Transformers without a class token are not supported")
    }
    let layout = parts[0].layout
    let rank = layout.rank
    // Axes but the last: the tokens' (1) and the batch's, with equal rows.
    guard let width = parts[0].dimensions.last,
      let flat = layout.reshaped(to: [layout.count / max(1, width), width])
    else {
      throw mismatch(tokens, expected: "a class token [n, 1, width]", got: "rank \(rank)")
    }
    let rows = flat.dimensions[0]
    let isRepeated = flat.axes[0].allSatisfy { $0.stride == 0 }
    var values: [GraphValue] = []
    for row in 0..<(isRepeated ? 1 : rows) {
      guard let part = flat.sliced(axis: 0, start: row, count: 1) else {
        throw mismatch(tokens, expected: "rows of class tokens")
      }
      values.append(parts[0].with(part.removing(at: 0)))
    }
    if values.count > 1 {
      let node = node(of: tokens)
      let first = try reader.numbers(values[0], node).floats
      for value in values.dropFirst() where try reader.numbers(value, node).floats != first {
        throw mismatch(
          tokens, expected: "the same class token for every image of the fixed batch",
          got: "different rows")
      }
    }
    let copies = values.dropFirst().map {
      ParameterPiece(rows: 0..<width, value: $0, transform: .none)
    }
    return (values[0], Array(copies), parts[1])
  }

  /// The patch convolution, and the images' size.
  private func matchPatches(
    _ patches: GraphValue
  ) throws(CLIPError) -> (convolution: ConvolutionNode, size: Int) {
    guard case .convolution(let convolution)? = computation(patches) else {
      throw mismatch(patches, expected: "a convolution that makes patches")
    }
    guard case .image? = computation(convolution.input) else {
      throw mismatch(
        convolution.input, expected: "the images as the input of the first convolution",
        remedy: "graphs that preprocess images themselves are not supported")
    }
    let size = convolution.input.dimensions[2]
    let places = patches.layout.axes.joined().filter { $0.label == .row || $0.label == .column }
    guard reader.isZero(convolution.bias), convolution.padding == 0,
      convolution.weight.dimensions[2] == convolution.stride, size % convolution.stride == 0,
      Array(places.map(\.label)) == (size == convolution.stride ? [] : [.row, .column])
    else {
      throw mismatch(
        patches, expected: "patches row by row from a convolution without bias and overlap",
        got: "kernel \(convolution.weight.dimensions[2]), stride \(convolution.stride), padding "
          + "\(convolution.padding)")
    }
    return (convolution, size)
  }
}
