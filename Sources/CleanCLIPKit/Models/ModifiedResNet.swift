/// CLIP's ResNet: a stem of three convolutions, strides as average pools, attention pooling
/// (Radford et al. 2021, section 2.4).
struct ModifiedResNet {
  let configuration: ModifiedResNetConfiguration
  let stem: [NormalizedConvolution]
  let blocks: [Bottleneck]
  let attentionPool: AttentionPool

  init(_ configuration: ModifiedResNetConfiguration, _ table: ParameterTable) {
    self.configuration = configuration
    let form = configuration.batchNorm
    stem = configuration.stem.enumerated().map { index, layer in
      NormalizedConvolution(
        table, layer.convolution, norm: layer.norm, form: form, stride: index == 0 ? 2 : 1,
        padding: 1)
    }
    blocks = configuration.blocks.map { Bottleneck($0, table, form: form) }
    attentionPool = AttentionPool(configuration, table)
  }

  /// The norms, in state-dict order; empty when they are folded.
  var norms: [(name: String, norm: BatchNorm)] {
    let layers = stem + blocks.flatMap(\.convolutions)
    return layers.compactMap { layer in layer.norm.map { (layer.normName, $0) } }
  }

  /// Returns the image features `[B, E]` of pixels `[B, 3, S, S]`.
  func callAsFunction(_ tape: Tape, _ pixels: Variable) throws(CLIPError) -> Variable {
    var x = try tape.pixels(pixels)  // [B, S, S, 3]
    for layer in stem { x = try layer(tape, x, followedByReLU: true) }
    x = try tape.averagePool(x, kernel: 2)  // [B, S/4, S/4, C]
    for block in blocks { x = try block(tape, x) }
    return try attentionPool(tape, x)
  }
}

/// A convolution with its batch norm, or with the bias that a folded norm left.
struct NormalizedConvolution {
  let weight: Parameter
  let bias: Parameter?
  let normName: String
  let norm: BatchNorm?
  let stride: Int
  let padding: Int

  init(
    _ table: ParameterTable, _ name: String, norm: String, form: BatchNormForm, stride: Int = 1,
    padding: Int = 0
  ) {
    weight = table.parameter(name + ".weight")
    normName = norm
    self.stride = stride
    self.padding = padding
    switch form {
    case .folded:
      bias = table.parameter(name + ".bias")
      self.norm = nil
    case .separate(let epsilon):
      bias = nil
      self.norm = BatchNorm(
        weight: table.parameter(norm + ".weight"), bias: table.parameter(norm + ".bias"),
        runningMean: table.statistic(norm + ".running_mean"),
        runningVariance: table.statistic(norm + ".running_var"), epsilon: epsilon)
    }
  }

  /// Returns `[B, H', W', O]` of `[B, H, W, C]`, with a residual of that shape added before the ReLU.
  ///
  /// Without a record, the result takes the place of the residual.
  func callAsFunction(
    _ tape: Tape, _ x: Variable, adding residual: Variable? = nil, followedByReLU: Bool
  ) throws(CLIPError) -> Variable {
    guard let norm else {
      return try tape.convolution(
        x, weight: weight, bias: bias, stride: stride, padding: padding, adding: residual,
        followedByReLU: followedByReLU)
    }
    guard !tape.canFold(norm, into: weight) else {
      return try tape.convolution(
        x, weight: weight, foldedNorm: norm, stride: stride, padding: padding, adding: residual,
        followedByReLU: followedByReLU)
    }
    let y = try tape.convolution(x, weight: weight, bias: nil, stride: stride, padding: padding)
    guard let residual else {
      return try tape.batchNorm(y, norm, followedByReLU: followedByReLU)
    }
    let normalized = try tape.batchNorm(y, norm, followedByReLU: false)
    return followedByReLU
      ? try tape.addReLU(normalized, residual) : try tape.add(normalized, residual)
  }
}

/// A residual block: 1×1, 3×3 and 1×1 convolutions; a stride is an average pool before the last one.
struct Bottleneck {
  let conv1: NormalizedConvolution
  let conv2: NormalizedConvolution
  let conv3: NormalizedConvolution
  let downsample: NormalizedConvolution?
  let stride: Int

  init(
    _ block: (name: String, inputs: Int, planes: Int, stride: Int), _ table: ParameterTable,
    form: BatchNormForm
  ) {
    let name = block.name
    stride = block.stride
    conv1 = NormalizedConvolution(table, name + "conv1", norm: name + "bn1", form: form)
    conv2 = NormalizedConvolution(
      table, name + "conv2", norm: name + "bn2", form: form, padding: 1)
    conv3 = NormalizedConvolution(table, name + "conv3", norm: name + "bn3", form: form)
    if block.stride > 1 || block.inputs != 4 * block.planes {
      downsample = NormalizedConvolution(
        table, name + "downsample.0", norm: name + "downsample.1", form: form)
    } else {
      downsample = nil
    }
  }

  var convolutions: [NormalizedConvolution] {
    [conv1, conv2, conv3] + (downsample.map { [$0] } ?? [])
  }

  /// Returns `[B, H/stride, W/stride, 4 P]` of `[B, H, W, C]`, which a tape without a record may
  /// overwrite.
  func callAsFunction(_ tape: Tape, _ x: Variable) throws(CLIPError) -> Variable {
    var y = try conv1(tape, x, followedByReLU: true)
    y = try conv2(tape, y, followedByReLU: true)
    if stride > 1 { y = try tape.averagePool(y, kernel: stride) }
    var identity = x
    if let downsample {
      if stride > 1 { identity = try tape.averagePool(identity, kernel: stride) }
      identity = try downsample(tape, identity, followedByReLU: false)
    }
    return try conv3(tape, y, adding: identity, followedByReLU: true)
  }
}

/// Multi-head attention whose only query is the mean of the feature map.
struct AttentionPool {
  let heads: Int
  let positionalEmbedding: Parameter
  let query: Linear
  let key: Linear
  let value: Linear
  let output: Linear

  init(_ configuration: ModifiedResNetConfiguration, _ table: ParameterTable) {
    heads = configuration.heads
    positionalEmbedding = table.parameter("visual.attnpool.positional_embedding")
    query = Linear(table, "visual.attnpool.q_proj")
    key = Linear(table, "visual.attnpool.k_proj")
    value = Linear(table, "visual.attnpool.v_proj")
    output = Linear(table, "visual.attnpool.c_proj")
  }

  /// Returns `[B, E]` of a feature map `[B, H, W, C]`.
  func callAsFunction(_ tape: Tape, _ x: Variable) throws(CLIPError) -> Variable {
    let batch = x.shape[0]
    let tokens = x.shape[1] * x.shape[2] + 1
    let x = try tape.meanToken(x, positions: positionalEmbedding)  // [B L, C]
    let means = try tape.rows(x, at: (0..<batch).map { $0 * tokens })  // [B, C]
    let pooled = try tape.poolingAttention(
      query: try query(tape, means), key: try key(tape, x), value: try value(tape, x),
      sequences: Sequences(count: batch, length: tokens), heads: heads)
    return try output(tape, pooled)
  }
}
