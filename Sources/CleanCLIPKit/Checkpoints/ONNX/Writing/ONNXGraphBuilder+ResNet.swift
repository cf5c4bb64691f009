extension ONNXGraphBuilder {
  /// A convolution, its normalisation where there is one, and a ReLU where asked for.
  private mutating func convolution(
    _ x: String, _ name: String, norm: String, epsilon: Float?, kernel: Int, stride: Int = 1,
    hasReLU: Bool
  ) throws(CLIPError) -> String {
    let padding = kernel / 2
    var inputs = [x, try weight(name + ".weight")]
    if epsilon == nil { inputs.append(try weight(name + ".bias")) }
    var result = node(
      "Conv", inputs, name,
      [
        ("kernel_shape", .integers([kernel, kernel])), ("strides", .integers([stride, stride])),
        ("pads", .integers([padding, padding, padding, padding])),
      ])
    if let epsilon {
      var parameters = [result]
      for suffix in ["weight", "bias", "running_mean", "running_var"] {
        parameters.append(try weight("\(norm).\(suffix)"))
      }
      result = node("BatchNormalization", parameters, norm, [("epsilon", .float(epsilon))])
    }
    return hasReLU ? node("Relu", [result], name + "/relu") : result
  }

  private mutating func averagePool(_ x: String, _ name: String) -> String {
    node(
      "AveragePool", [x], name,
      [("kernel_shape", .integers([2, 2])), ("strides", .integers([2, 2]))])
  }

  /// The image tower up to raw features [n, E].
  mutating func modifiedResNet(
    _ configuration: ModifiedResNetConfiguration, _ image: String
  ) throws(CLIPError) -> String {
    var epsilon: Float?
    if case .separate(let value) = configuration.batchNorm { epsilon = value }
    var x = image
    for index in 1...3 {
      x = try convolution(
        x, "visual.conv\(index)", norm: "visual.bn\(index)", epsilon: epsilon, kernel: 3,
        stride: index == 1 ? 2 : 1, hasReLU: true)
    }
    x = averagePool(x, "visual/avgpool")
    for (stage, count) in configuration.layers.enumerated() {
      for index in 0..<count {
        x = try bottleneck(
          x, "visual.layer\(stage + 1).\(index)", epsilon: epsilon,
          hasPool: stage > 0 && index == 0, hasDownsample: index == 0)
      }
    }
    return try attentionPool(x, configuration)
  }

  private mutating func bottleneck(
    _ x: String, _ name: String, epsilon: Float?, hasPool: Bool, hasDownsample: Bool
  ) throws(CLIPError) -> String {
    var y = x
    for (index, kernel) in [1, 3, 1].enumerated() {
      if index == 2, hasPool { y = averagePool(y, name + "/avgpool") }
      y = try convolution(
        y, "\(name).conv\(index + 1)", norm: "\(name).bn\(index + 1)", epsilon: epsilon,
        kernel: kernel, hasReLU: index < 2)
    }
    var shortcut = x
    if hasDownsample {
      if hasPool { shortcut = averagePool(x, name + ".downsample/avgpool") }
      shortcut = try convolution(
        shortcut, name + ".downsample.0", norm: name + ".downsample.1", epsilon: epsilon,
        kernel: 1, hasReLU: false)
    }
    return node("Relu", [node("Add", [y, shortcut], name + "/add")], name + "/relu")
  }

  /// Attention of the mean over the cells of the last feature map.
  private mutating func attentionPool(
    _ map: String, _ configuration: ModifiedResNetConfiguration
  ) throws(CLIPError) -> String {
    let width = configuration.featureWidth
    let name = "visual.attnpool"
    let flat = node("Reshape", [map, integers([0, width, -1])], name + "/flatten")
    let cells = node("Transpose", [flat], name + "/cells", [("perm", .integers([0, 2, 1]))])
    let mean = node(
      "ReduceMean", [cells], name + "/mean", [("axes", .integers([1])), ("keepdims", .integer(1))])
    let tokens = node("Concat", [mean, cells], name + "/tokens", [("axis", .integer(1))])
    let x = node("Add", [tokens, try weight(name + ".positional_embedding")], name + "/positions")
    let first = node("Gather", [x, integers([0])], name + "/query", [("axis", .integer(1))])
    let attended = try attention(
      try linear(first, name + ".q_proj"), try linear(x, name + ".k_proj"),
      try linear(x, name + ".v_proj"), width: width, heads: configuration.heads, mask: nil, name)
    let feature = node("Reshape", [attended, integers([-1, width])], name + "/feature")
    return try linear(feature, name + ".c_proj")
  }
}
