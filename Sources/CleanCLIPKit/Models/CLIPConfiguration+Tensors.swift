internal import Glibc

extension CLIPConfiguration {
  /// Logarithm of the temperature that CLIP starts with, 1 / 0.07 (Radford et al. 2021, section 2.5).
  package static let initialLogitScale = logf(1 / 0.07)

  /// The tensors of a checkpoint with this configuration, in OpenCLIP's state-dict order.
  ///
  /// Initial values are those of OpenCLIP: Radford et al. 2021 for the text tower, the attention
  /// pool and the last norm of each residual block, PyTorch's defaults for the rest.
  package var tensorSpecifications: [TensorSpecification] {
    var list: [TensorSpecification] = []
    if let text {
      let width = text.transformer.width
      list += [
        TensorSpecification(
          "positional_embedding", [text.contextLength, width], .normal(standardDeviation: 0.01)),
        TensorSpecification(
          "text_projection", [width, embedDim],
          .normal(standardDeviation: 1 / Float(width).squareRoot())),
      ]
    }
    list.append(TensorSpecification("logit_scale", [], .constant(Self.initialLogitScale)))
    switch vision {
    case .transformer(let configuration): list += configuration.specifications(embedDim: embedDim)
    case .resNet(let configuration): list += configuration.specifications(embedDim: embedDim)
    case nil: break
    }
    if let text {
      let width = text.transformer.width
      list += text.transformer.specifications(prefix: "", like: .clip)
      list.append(
        TensorSpecification(
          "token_embedding.weight", [text.vocabularySize, width],
          .normal(standardDeviation: 0.02)))
      list += layerNorm("ln_final", width)
    }
    return list
  }
}

private func layerNorm(_ name: String, _ width: Int) -> [TensorSpecification] {
  [
    TensorSpecification(name + ".weight", [width], .ones),
    TensorSpecification(name + ".bias", [width], .zeros),
  ]
}

private func linear(
  _ name: String, inputs: Int, outputs: Int,
  weight: TensorSpecification.Initialisation? = nil,
  bias: TensorSpecification.Initialisation? = nil
) -> [TensorSpecification] {
  [
    TensorSpecification(name + ".weight", [outputs, inputs], weight ?? .layer(inputs: inputs)),
    TensorSpecification(name + ".bias", [outputs], bias ?? .layer(inputs: inputs)),
  ]
}

extension TransformerConfiguration {
  /// The published initial values of a stack of blocks.
  fileprivate enum InitialValues {
    /// CLIP's, scaled by width and depth.
    case clip
    /// Those of PyTorch's layers, which OpenCLIP leaves as they are in the image tower.
    case layers
  }

  fileprivate func specifications(
    prefix: String, like values: InitialValues
  ) -> [TensorSpecification] {
    let scale = 1 / Float(max(1, width)).squareRoot()
    let depth = 1 / Float(max(1, 2 * layers)).squareRoot()
    let attention, residual, hidden, contraction: TensorSpecification.Initialisation
    switch values {
    case .clip:
      attention = .normal(standardDeviation: scale)
      residual = .normal(standardDeviation: scale * depth)
      hidden = .normal(standardDeviation: scale / Float(2).squareRoot())
      contraction = residual
    case .layers:
      attention = .xavier(inputs: width, outputs: 3 * width)
      residual = .layer(inputs: width)
      hidden = .layer(inputs: width)
      contraction = .layer(inputs: mlpWidth)
    }
    var list: [TensorSpecification] = []
    for index in 0..<layers {
      let block = "\(prefix)transformer.resblocks.\(index)."
      list += layerNorm(block + "ln_1", width)
      list.append(
        TensorSpecification(block + "attn.in_proj_weight", [3 * width, width], attention))
      list.append(TensorSpecification(block + "attn.in_proj_bias", [3 * width], .zeros))
      list += linear(
        block + "attn.out_proj", inputs: width, outputs: width, weight: residual, bias: .zeros)
      list += layerNorm(block + "ln_2", width)
      list += linear(block + "mlp.c_fc", inputs: width, outputs: mlpWidth, weight: hidden)
      list += linear(block + "mlp.c_proj", inputs: mlpWidth, outputs: width, weight: contraction)
    }
    return list
  }
}

extension VisionTransformerConfiguration {
  fileprivate func specifications(embedDim: Int) -> [TensorSpecification] {
    let width = transformer.width
    let scaled = TensorSpecification.Initialisation.normal(
      standardDeviation: 1 / Float(max(1, width)).squareRoot())
    return [
      TensorSpecification("visual.class_embedding", [width], scaled),
      TensorSpecification("visual.positional_embedding", [tokens, width], scaled),
      TensorSpecification("visual.proj", [width, embedDim], scaled),
      TensorSpecification(
        "visual.conv1.weight", [width, 3, patchSize, patchSize],
        .layer(inputs: 3 * patchSize * patchSize)),
    ] + layerNorm("visual.ln_pre", width)
      + transformer.specifications(prefix: "visual.", like: .layers)
      + layerNorm("visual.ln_post", width)
  }
}

extension ModifiedResNetConfiguration {
  /// The convolutions and norms of the stem: names and channels, shared with the tower.
  var stem: [(convolution: String, norm: String, inputs: Int, outputs: Int)] {
    [
      ("visual.conv1", "visual.bn1", 3, width / 2),
      ("visual.conv2", "visual.bn2", width / 2, width / 2),
      ("visual.conv3", "visual.bn3", width / 2, width),
    ]
  }

  /// The residual blocks in order, with their channels.
  var blocks: [(name: String, inputs: Int, planes: Int, stride: Int)] {
    var list: [(name: String, inputs: Int, planes: Int, stride: Int)] = []
    var inputs = width
    for (stage, count) in layers.enumerated() {
      let planes = width << stage
      for index in 0..<count {
        let stride = stage > 0 && index == 0 ? 2 : 1
        list.append(("visual.layer\(stage + 1).\(index).", inputs, planes, stride))
        inputs = 4 * planes
      }
    }
    return list
  }

  fileprivate func specifications(embedDim: Int) -> [TensorSpecification] {
    var list: [TensorSpecification] = []
    for layer in stem {
      list += convolution(layer.convolution, layer.norm, layer.inputs, layer.outputs, kernel: 3)
    }
    // A weight of 0 makes each block the identity at first. With one block a stage nothing but the
    // shortcuts would be left, and training crawls.
    let lastWeight: TensorSpecification.Initialisation = (layers.max() ?? 0) > 1 ? .zeros : .ones
    for block in blocks {
      let (name, inputs, planes) = (block.name, block.inputs, block.planes)
      list += convolution(name + "conv1", name + "bn1", inputs, planes, kernel: 1)
      list += convolution(name + "conv2", name + "bn2", planes, planes, kernel: 3)
      list += convolution(
        name + "conv3", name + "bn3", planes, 4 * planes, kernel: 1, normWeight: lastWeight)
      if block.stride > 1 || inputs != 4 * planes {
        list += convolution(
          name + "downsample.0", name + "downsample.1", inputs, 4 * planes, kernel: 1)
      }
    }
    let scaled = TensorSpecification.Initialisation.normal(
      standardDeviation: 1 / Float(max(1, featureWidth)).squareRoot())
    list.append(
      TensorSpecification(
        "visual.attnpool.positional_embedding", [gridSize * gridSize + 1, featureWidth], scaled))
    for name in ["k_proj", "q_proj", "v_proj"] {
      list += linear(
        "visual.attnpool." + name, inputs: featureWidth, outputs: featureWidth, weight: scaled)
    }
    list += linear(
      "visual.attnpool.c_proj", inputs: featureWidth, outputs: embedDim, weight: scaled)
    return list
  }

  private func convolution(
    _ name: String, _ norm: String, _ inputs: Int, _ outputs: Int, kernel: Int,
    normWeight: TensorSpecification.Initialisation = .ones
  ) -> [TensorSpecification] {
    let weight = TensorSpecification(
      name + ".weight", [outputs, inputs, kernel, kernel],
      .layer(inputs: inputs * kernel * kernel))
    switch batchNorm {
    case .folded:
      return [weight, TensorSpecification(name + ".bias", [outputs], .zeros)]
    case .separate:
      return [
        weight,
        TensorSpecification(norm + ".weight", [outputs], normWeight),
        TensorSpecification(norm + ".bias", [outputs], .zeros),
        TensorSpecification(norm + ".running_mean", [outputs], .zeros, role: .statistic),
        TensorSpecification(norm + ".running_var", [outputs], .ones, role: .statistic),
      ]
    }
  }
}
