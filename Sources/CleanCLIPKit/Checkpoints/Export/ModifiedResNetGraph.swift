/// The nodes of CLIP's ResNet.
struct ModifiedResNetGraph {
  private let configuration: ModifiedResNetConfiguration
  private let builder: GraphBuilder
  private let weights: Weights

  init(_ configuration: ModifiedResNetConfiguration, _ builder: GraphBuilder, _ weights: Weights) {
    self.configuration = configuration
    self.builder = builder
    self.weights = weights
  }

  /// Returns raw features `[B, E]` of pixels `[B, 3, S, S]`.
  func features(_ pixels: String) throws(CLIPError) -> String {
    var x = pixels
    for (index, layer) in configuration.stem.enumerated() {
      let y = try convolution(
        x, layer.convolution, layer.norm, kernel: 3, stride: index == 0 ? 2 : 1)
      x = builder.node("Relu", [y])
    }
    x = averagePool(x, 2)
    for block in configuration.blocks {
      x = try bottleneck(
        x, block.name, stride: block.stride, hasDownsample: block.inputs != 4 * block.planes)
    }
    return try attentionPool(x)
  }

  private func bottleneck(
    _ x: String, _ name: String, stride: Int, hasDownsample: Bool
  ) throws(CLIPError) -> String {
    var y = builder.node("Relu", [try convolution(x, name + "conv1", name + "bn1", kernel: 1)])
    y = builder.node("Relu", [try convolution(y, name + "conv2", name + "bn2", kernel: 3)])
    if stride > 1 { y = averagePool(y, stride) }
    y = try convolution(y, name + "conv3", name + "bn3", kernel: 1)
    var identity = x
    if stride > 1 { identity = averagePool(identity, stride) }
    if stride > 1 || hasDownsample {
      identity = try convolution(
        identity, name + "downsample.0", name + "downsample.1", kernel: 1)
    }
    return builder.node("Relu", [builder.node("Add", [y, identity])])
  }

  private func convolution(
    _ x: String, _ name: String, _ norm: String, kernel: Int, stride: Int = 1
  ) throws(CLIPError) -> String {
    let padding = kernel / 2
    let ints = [
      "kernel_shape": [kernel, kernel], "strides": [stride, stride],
      "pads": [padding, padding, padding, padding],
    ]
    let weight = try weights[name + ".weight"]
    switch configuration.batchNorm {
    case .folded:
      return builder.node("Conv", [x, weight, try weights[name + ".bias"]], ints: ints)
    case .separate(let epsilon):
      let y = builder.node("Conv", [x, weight], ints: ints)
      return builder.node(
        "BatchNormalization",
        [
          y, try weights[norm + ".weight"], try weights[norm + ".bias"],
          try weights[norm + ".running_mean"], try weights[norm + ".running_var"],
        ], floats: ["epsilon": epsilon])
    }
  }

  private func averagePool(_ x: String, _ size: Int) -> String {
    builder.node(
      "AveragePool", [x], ints: ["kernel_shape": [size, size], "strides": [size, size]])
  }

  /// Attention whose query is the mean token, on `[T, B, C]` as PyTorch's functional form has it.
  private func attentionPool(_ x: String) throws(CLIPError) -> String {
    let (width, heads) = (configuration.featureWidth, configuration.heads)
    let (headWidth, area) = (width / heads, configuration.gridSize * configuration.gridSize)
    let flat = builder.node("Reshape", [x, builder.integers([-1, width, area])])
    let cells = builder.node("Transpose", [flat], ints: ["perm": [2, 0, 1]])  // [T - 1, B, C]
    let mean = builder.node(
      "ReduceMean", [cells], ints: ["axes": [0]], integers: ["keepdims": 1])
    let positions = builder.node(
      "Unsqueeze", [try weights["visual.attnpool.positional_embedding"], builder.integers([1])])
    let tokens = builder.node(
      "Add", [builder.node("Concat", [mean, cells], integers: ["axis": 0]), positions])
    let first = builder.node(
      "Slice", [tokens, builder.integers([0]), builder.integers([1]), builder.integers([0])])

    func perHead(_ x: String, _ name: String, count: Int, _ order: [Int]) throws(CLIPError)
      -> String
    {
      let projected = try linear(x, name)
      let shaped = builder.node(
        "Reshape", [projected, builder.integers([count, -1, headWidth])])  // [T, B H, C/H]
      return builder.node("Transpose", [shaped], ints: ["perm": order])
    }
    let query = try perHead(first, "q_proj", count: 1, [1, 0, 2])
    let key = try perHead(tokens, "k_proj", count: area + 1, [1, 2, 0])
    let value = try perHead(tokens, "v_proj", count: area + 1, [1, 0, 2])
    let scaled = builder.node(
      "Mul", [query, builder.number(1 / Float(headWidth).squareRoot())])
    let probabilities = builder.node(
      "Softmax", [builder.node("MatMul", [scaled, key])], integers: ["axis": -1])
    let mixed = builder.node("MatMul", [probabilities, value])  // [B H, 1, C/H]
    let pooled = builder.node("Reshape", [mixed, builder.integers([-1, width])])
    return try linear(pooled, "c_proj")
  }

  private func linear(_ x: String, _ name: String) throws(CLIPError) -> String {
    let name = "visual.attnpool." + name
    return try builder.linear(x, weight: weights[name + ".weight"], bias: weights[name + ".bias"])
  }
}
