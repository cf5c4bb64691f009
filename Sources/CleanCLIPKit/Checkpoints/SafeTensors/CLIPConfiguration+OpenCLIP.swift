extension CLIPConfiguration {
  /// The configuration as an `open_clip_config.json`: `model_cfg` and `preprocess_cfg` as OpenCLIP
  /// reads them, and under `cleanclip` what OpenCLIP's form has no words for.
  package var openCLIPJSON: JSONValue {
    var model: JSONObject = ["embed_dim": .integer(embedDim)]
    let activations = [visionTransformer?.transformer.activation, text?.transformer.activation]
    if activations.contains(.quickGELU) { model["quick_gelu"] = true }
    switch vision {
    case .transformer(let vision):
      model["vision_cfg"] = [
        "image_size": .integer(vision.imageSize), "layers": .integer(vision.transformer.layers),
        "width": .integer(vision.transformer.width),
        "head_width": .integer(vision.transformer.width / vision.transformer.heads),
        "mlp_ratio": vision.transformer.mlpRatio, "patch_size": .integer(vision.patchSize),
      ]
    case .resNet(let vision):
      model["vision_cfg"] = [
        "image_size": .integer(vision.imageSize),
        "layers": .array(vision.layers.map { .integer($0) }), "width": .integer(vision.width),
        "head_width": .integer(vision.featureWidth / vision.heads), "patch_size": .null,
      ]
    case nil: break
    }
    if let text {
      model["text_cfg"] = [
        "context_length": .integer(text.contextLength),
        "vocab_size": .integer(text.vocabularySize),
        "width": .integer(text.transformer.width), "heads": .integer(text.transformer.heads),
        "layers": .integer(text.transformer.layers), "mlp_ratio": text.transformer.mlpRatio,
      ]
    }
    return [
      "model_cfg": .object(model),
      "preprocess_cfg": preprocessing.json,
      "cleanclip": .object(particulars),
    ]
  }

  private var visionTransformer: VisionTransformerConfiguration? {
    if case .transformer(let vision)? = vision { vision } else { nil }
  }

  /// What distinguishes the model from OpenCLIP's own reading of its configuration.
  private var particulars: JSONObject {
    var object = JSONObject()
    if let vision = visionTransformer { object["vision"] = vision.transformer.particulars }
    if case .resNet(let vision)? = vision {
      switch vision.batchNorm {
      case .folded: object["batch_norm"] = "folded"
      case .separate(let epsilon): object["batch_norm_epsilon"] = .number(Double("\(epsilon)") ?? 0)
      }
    }
    if let text {
      object["text"] = text.transformer.particulars
      if case .id(let id) = text.endOfText { object["end_of_text"] = .integer(Int(id)) }
    }
    return object
  }

  /// Reads an `open_clip_config.json`, also one that this library wrote.
  ///
  /// - Throws: as `init(openCLIP:name:)`, and `format` for particulars that cannot be.
  package static func reading(
    openCLIP json: JSONValue, name: String
  ) throws(CLIPError) -> CLIPConfiguration {
    var configuration = try CLIPConfiguration(openCLIP: json, name: name)
    guard let particulars = json["cleanclip"] else { return configuration }
    switch configuration.vision {
    case .transformer(var vision):
      try vision.transformer.apply(particulars["vision"], name: name)
      configuration.vision = .transformer(vision)
    case .resNet(var vision):
      if particulars["batch_norm"]?.string == "folded" {
        vision.batchNorm = .folded
      } else if let epsilon = particulars["batch_norm_epsilon"]?.double {
        vision.batchNorm = .separate(epsilon: Float(epsilon))
      }
      configuration.vision = .resNet(vision)
    case nil: break
    }
    if var text = configuration.text {
      try text.transformer.apply(particulars["text"], name: name)
      if let id = particulars["end_of_text"]?.integer {
        guard let id = Int32(exactly: id) else {
          throw CLIPError(
            .format, "'\(name)': end_of_text is no token id; expected 32 bits, got \(id)")
        }
        text.endOfText = .id(id)
      }
      configuration.text = text
    }
    try configuration.validate()
    return configuration
  }
}

extension TransformerConfiguration {
  /// The width of the MLP as a multiple of the width, exact when read back.
  fileprivate var mlpRatio: JSONValue {
    mlpWidth % width == 0
      ? .number(Double(mlpWidth / width)) : .number((Double(mlpWidth) + 0.5) / Double(width))
  }

  fileprivate var particulars: JSONValue {
    [
      "activation": .string(activation.rawValue),
      "layer_norm_epsilon": .number(Double("\(layerNormEpsilon)") ?? Double(layerNormEpsilon)),
      "heads": .integer(heads),
    ]
  }

  fileprivate mutating func apply(_ json: JSONValue?, name: String) throws(CLIPError) {
    guard let json else { return }
    if let word = json["activation"]?.string {
      guard let activation = Activation(rawValue: word) else {
        throw CLIPError(
          .format, "'\(name)': unknown activation; expected quick_gelu or gelu, got '\(word)'")
      }
      self.activation = activation
    }
    if let epsilon = json["layer_norm_epsilon"]?.double { layerNormEpsilon = Float(epsilon) }
    if let heads = json["heads"]?.integer { self.heads = heads }
  }
}
