internal import ONNXGraphs

/// A convolution with its normalisation.
struct ConvolutionMatch {
  let convolution: ConvolutionNode
  let norm: BatchNormNode?

  var input: GraphValue { convolution.input }
  var kernel: Int { convolution.weight.dimensions[2] }
  var channels: Int { convolution.weight.dimensions[0] }
}

/// A bottleneck block.
struct BottleneckMatch {
  let convolutions: [ConvolutionMatch]
  /// The kernel of the anti-aliasing pool, 1 without.
  let pool: Int
  let downsample: ConvolutionMatch?
}

extension GraphMatcher {
  func matchResNet(_ projection: LinearMatch) throws(CLIPError) -> VisionMatch {
    let attention = try matchSelfAttention(projection.input, "the attention pool")
    guard attention.mask == .none, projection.input.layout.factors(.token).isEmpty,
      projection.input.layout.offset(.token)
        == expression(projection.input)?.layout.offset(.token)
        || projection.input.layout.offset(.token) == 0
    else {
      throw mismatch(projection.input, expected: "the first token of the attention pool")
    }
    let pooled = attention.key.input
    guard case .binary(.add, let a, let b)? = computation(pooled),
      (a.constant == nil) != (b.constant == nil),
      let positions = aligned(a.constant != nil ? a : b, to: pooled, [.token, .feature])
    else {
      throw mismatch(pooled, expected: "the sum of image cells and their positions")
    }
    let cells = compose(pooled, a.constant != nil ? b : a)
    guard case .concatenation(let parts, _)? = computation(cells), parts.count == 2,
      case .reduction(.mean, let averaged, _)? = computation(parts[0]),
      averaged.origin == parts[1].origin
    else {
      throw mismatch(cells, expected: "the mean of the cells in front of the cells")
    }
    let map = parts[1]
    let places = map.layout.axes.joined().filter { $0.label == .row || $0.label == .column }
    let (stem, blocks, size) = try matchBackbone(map)
    guard size == 32 || Array(places.map(\.label)) == [.row, .column] else {
      throw mismatch(map, expected: "cells row by row")
    }
    let stages = try matchStages(blocks, width: stem[2].channels, at: map)
    var tower = TowerMatch()
    tower.embedDim = projection.weight.dimensions[1]
    let epsilon = try addConvolutions(stem: stem, stages: stages, to: &tower, at: map)
    tower.add("visual.attnpool.positional_embedding", positions)
    try tower.add("visual.attnpool.k_proj", attention.key, at: self)
    try tower.add("visual.attnpool.q_proj", attention.query, at: self)
    try tower.add("visual.attnpool.v_proj", attention.value, at: self)
    try tower.add("visual.attnpool.c_proj", projection, at: self)
    try requireUnscaled([projection], at: projection.input)
    let configuration = ModifiedResNetConfiguration(
      imageSize: size, width: stem[2].channels, layers: stages.map(\.count),
      heads: attention.heads, batchNorm: epsilon.map { .separate(epsilon: $0) } ?? .folded)
    let grid = configuration.gridSize
    guard size % 32 == 0,
      positions.dimensions == [grid * grid + 1, configuration.featureWidth]
    else {
      throw mismatch(
        pooled, expected: "positions [\(grid * grid + 1), \(configuration.featureWidth)]",
        got: "\(positions.dimensions)")
    }
    return VisionMatch(tower: tower, configuration: .resNet(configuration))
  }

  /// Recognises the convolutions from the last feature map to the images.
  private func matchBackbone(
    _ map: GraphValue
  ) throws(CLIPError) -> (stem: [ConvolutionMatch], blocks: [BottleneckMatch], size: Int) {
    var value = map
    var blocks: [BottleneckMatch] = []
    while case .unary(.relu, let sum)? = computation(value),
      case .binary(.add, let a, let b)? = computation(sum), a.constant == nil, b.constant == nil
    {
      let (block, input) = try matchBottleneck(a, b, at: value)
      blocks.append(block)
      value = input
    }
    guard case .averagePool(var inner, kernel: 2)? = computation(value) else {
      throw mismatch(
        value, expected: "CLIP's ResNet: an average pooling behind three convolutions",
        remedy: "other convolutional towers are not supported")
    }
    var stem: [ConvolutionMatch] = []
    for _ in 0..<3 {
      guard case .unary(.relu, let normalized)? = computation(inner),
        let convolution = matchConvolution(normalized)
      else {
        throw mismatch(inner, expected: "a convolution of CLIP's stem with its ReLU")
      }
      stem.insert(convolution, at: 0)
      inner = convolution.input
    }
    guard case .image? = computation(inner) else {
      throw mismatch(
        inner, expected: "the images as the input of the first convolution",
        remedy: "graphs that preprocess images themselves are not supported")
    }
    for (index, convolution) in stem.enumerated() {
      try check(convolution, kernel: 3, stride: index == 0 ? 2 : 1, at: value)
    }
    return (stem, blocks.reversed(), inner.dimensions[2])
  }

  private func check(
    _ match: ConvolutionMatch, kernel: Int, stride: Int, at value: GraphValue
  ) throws(CLIPError) {
    guard match.kernel == kernel, match.convolution.stride == stride,
      match.convolution.padding == kernel / 2
    else {
      throw mismatch(
        value,
        expected: "a \(kernel)×\(kernel) convolution of stride \(stride) and padding \(kernel / 2)",
        got: "kernel \(match.kernel), stride \(match.convolution.stride), padding "
          + "\(match.convolution.padding)")
    }
  }

  private func matchConvolution(_ value: GraphValue) -> ConvolutionMatch? {
    switch computation(value) {
    case .convolution(let convolution)?:
      return ConvolutionMatch(convolution: convolution, norm: nil)
    case .batchNorm(let norm)?:
      guard case .convolution(let convolution)? = computation(norm.input),
        reader.isZero(convolution.bias)
      else { return nil }
      return ConvolutionMatch(convolution: convolution, norm: norm)
    default: return nil
    }
  }

  /// The convolutions 1×1, 3×3, [pool,] 1×1 that make `value`, or `nil`.
  private func matchBranch(_ value: GraphValue) -> (convolutions: [ConvolutionMatch], pool: Int)? {
    guard let third = matchConvolution(value), third.kernel == 1 else { return nil }
    var inner = third.input
    var pool = 1
    if case .averagePool(let unpooled, let kernel)? = computation(inner) {
      pool = kernel
      inner = unpooled
    }
    guard case .unary(.relu, let secondOutput)? = computation(inner),
      let second = matchConvolution(secondOutput), second.kernel == 3,
      case .unary(.relu, let firstOutput)? = computation(second.input),
      let first = matchConvolution(firstOutput), first.kernel == 1
    else { return nil }
    return ([first, second, third], pool)
  }

  private func matchBottleneck(
    _ a: GraphValue, _ b: GraphValue, at value: GraphValue
  ) throws(CLIPError) -> (BottleneckMatch, input: GraphValue) {
    for (branch, shortcut) in [(a, b), (b, a)] {
      guard let (convolutions, pool) = matchBranch(branch) else { continue }
      let input = convolutions[0].input
      var downsample: ConvolutionMatch?
      if shortcut.origin != input.origin {
        guard let found = matchConvolution(shortcut), found.kernel == 1 else { continue }
        var inner = found.input
        if pool > 1, case .averagePool(let unpooled, let kernel)? = computation(inner),
          kernel == pool
        {
          inner = unpooled
        }
        guard inner.origin == input.origin else { continue }
        downsample = found
      }
      for (convolution, kernel) in zip(convolutions, [1, 3, 1]) {
        try check(convolution, kernel: kernel, stride: 1, at: value)
      }
      if let downsample { try check(downsample, kernel: 1, stride: 1, at: value) }
      return (
        BottleneckMatch(convolutions: convolutions, pool: pool, downsample: downsample), input
      )
    }
    throw mismatch(
      value, expected: "a bottleneck of CLIP's ResNet: convolutions 1×1, 3×3, 1×1 and a shortcut",
      remedy: "other convolutional towers are not supported")
  }

  /// Groups the blocks into the four stages; each starts with a downsampling shortcut.
  private func matchStages(
    _ blocks: [BottleneckMatch], width: Int, at value: GraphValue
  ) throws(CLIPError) -> [[BottleneckMatch]] {
    var stages: [[BottleneckMatch]] = []
    for block in blocks {
      if block.downsample != nil { stages.append([]) }
      guard !stages.isEmpty else {
        throw mismatch(value, expected: "a stage that starts with a downsampling shortcut")
      }
      stages[stages.count - 1].append(block)
    }
    guard stages.count == 4 else {
      throw mismatch(value, expected: "four stages of bottlenecks", got: "\(stages.count)")
    }
    for (stage, blocks) in stages.enumerated() {
      for (index, block) in blocks.enumerated() {
        let planes = width << stage
        let channels = block.convolutions.map(\.channels)
        let pool = stage > 0 && index == 0 ? 2 : 1
        guard channels == [planes, planes, planes * 4], block.pool == pool else {
          throw mismatch(
            value,
            expected: "\([planes, planes, planes * 4]) channels and pooling by \(pool) in "
              + "block \(index) of stage \(stage + 1)",
            got: "\(channels) and \(block.pool)")
        }
      }
    }
    return stages
  }

  /// Adds all convolutions; returns the epsilon of their normalisations, `nil` when folded.
  private func addConvolutions(
    stem: [ConvolutionMatch], stages: [[BottleneckMatch]], to tower: inout TowerMatch,
    at value: GraphValue
  ) throws(CLIPError) -> Float? {
    var named: [(convolution: String, norm: String, match: ConvolutionMatch)] = []
    for (index, match) in stem.enumerated() {
      named.append(("visual.conv\(index + 1)", "visual.bn\(index + 1)", match))
    }
    for (stage, blocks) in stages.enumerated() {
      for (block, match) in blocks.enumerated() {
        let prefix = "visual.layer\(stage + 1).\(block)."
        for (index, convolution) in match.convolutions.enumerated() {
          named.append((prefix + "conv\(index + 1)", prefix + "bn\(index + 1)", convolution))
        }
        if let downsample = match.downsample {
          named.append((prefix + "downsample.0", prefix + "downsample.1", downsample))
        }
      }
    }
    let epsilons = Set(named.map { $0.match.norm?.epsilon })
    guard epsilons.count == 1, let epsilon = epsilons.first else {
      throw mismatch(
        value, expected: "batch normalisation of one kind everywhere",
        got: "\(epsilons.count) kinds",
        remedy: "export the model again with all of it folded or none of it")
    }
    for (convolution, norm, match) in named {
      tower.add(convolution + ".weight", match.convolution.weight)
      if let found = match.norm {
        tower.add(norm + ".weight", found.weight)
        tower.add(norm + ".bias", found.bias)
        tower.add(norm + ".running_mean", found.mean)
        tower.add(norm + ".running_var", found.variance)
      } else {
        guard let bias = match.convolution.bias else {
          throw mismatch(
            value, expected: "a bias in '\(convolution)', where batch normalisation was folded")
        }
        tower.add(convolution + ".bias", bias)
      }
    }
    return epsilon
  }
}
