extension CLIPConfiguration {
  /// Reads the `config.json` of a Hugging Face `CLIPModel`.
  ///
  /// Sizes that the file leaves out have the library's default values.
  /// - Throws: `unsupported` for models of other families; `format` for impossible sizes.
  package static func reading(
    huggingFace json: JSONValue, name: String
  ) throws(CLIPError) -> CLIPConfiguration {
    let family = json["model_type"]?.string ?? "clip"
    guard ["clip", "clip_text_model", "clip_vision_model"].contains(family) else {
      throw CLIPError(
        .unsupported, "'\(name)': model is not a CLIP; expected model_type 'clip', got '\(family)'")
    }
    let vision = family == "clip_text_model" ? nil : json["vision_config"] ?? json
    let text = family == "clip_vision_model" ? nil : json["text_config"] ?? json
    var configuration = CLIPConfiguration(
      embedDim: try size(json, "projection_dim", 512, name), vision: nil, text: nil)
    if let vision {
      configuration.vision = .transformer(
        VisionTransformerConfiguration(
          imageSize: try size(vision, "image_size", 224, name),
          patchSize: try size(vision, "patch_size", 32, name),
          transformer: try transformer(vision, width: 768, heads: 12, name)))
    }
    if let text {
      // 2 is what OpenAI's published files say; the transformers library then takes the highest id.
      let end = try size(text, "eos_token_id", 49407, name)
      configuration.text = TextConfiguration(
        contextLength: try size(text, "max_position_embeddings", 77, name),
        vocabularySize: try size(text, "vocab_size", 49408, name),
        transformer: try transformer(text, width: 512, heads: 8, name),
        endOfText: end == 2 ? .highestID : .id(Int32(end)))
    }
    try configuration.validate()
    return configuration
  }

  private static func size(
    _ json: JSONValue, _ key: String, _ fallback: Int, _ name: String
  ) throws(CLIPError) -> Int {
    guard let value = json[key], value != .null else { return fallback }
    guard let number = value.integer, (1...16_777_216).contains(number) else {
      throw CLIPError(
        .format,
        "'\(name)': \(key) cannot be used; expected a number from 1 to 16777216, got "
          + value.serialized())
    }
    return number
  }

  private static func transformer(
    _ json: JSONValue, width: Int, heads: Int, _ name: String
  ) throws(CLIPError) -> TransformerConfiguration {
    let width = try size(json, "hidden_size", width, name)
    let word = json["hidden_act"]?.string ?? "quick_gelu"
    let activations: [String: Activation] = [
      "quick_gelu": .quickGELU, "gelu": .gelu, "gelu_new": .geluTanh,
      "gelu_pytorch_tanh": .geluTanh,
    ]
    guard let activation = activations[word] else {
      throw CLIPError(
        .unsupported,
        "'\(name)': hidden_act is not supported; expected quick_gelu or gelu, got '\(word)'")
    }
    return TransformerConfiguration(
      width: width, layers: try size(json, "num_hidden_layers", 12, name),
      heads: try size(json, "num_attention_heads", heads, name),
      mlpWidth: try size(json, "intermediate_size", width * 4, name), activation: activation,
      layerNormEpsilon: Float(json["layer_norm_eps"]?.double ?? 1e-5))
  }

  /// The configuration as Hugging Face's `config.json`; `nil` for ResNets, which it does not have.
  package var huggingFaceJSON: JSONValue? {
    if case .resNet? = vision { return nil }
    var object: JSONObject = ["model_type": "clip", "projection_dim": .integer(embedDim)]
    object["logit_scale_init_value"] = 2.6592
    object["architectures"] = ["CLIPModel"]
    if case .transformer(let vision)? = vision {
      var inner = vision.transformer.huggingFaceJSON
      inner["model_type"] = "clip_vision_model"
      inner["image_size"] = .integer(vision.imageSize)
      inner["patch_size"] = .integer(vision.patchSize)
      inner["projection_dim"] = .integer(embedDim)
      object["vision_config"] = .object(inner)
    }
    if let text {
      var inner = text.transformer.huggingFaceJSON
      inner["model_type"] = "clip_text_model"
      inner["max_position_embeddings"] = .integer(text.contextLength)
      inner["vocab_size"] = .integer(text.vocabularySize)
      inner["projection_dim"] = .integer(embedDim)
      switch text.endOfText {
      case .highestID: inner["eos_token_id"] = 2
      case .id(let id): inner["eos_token_id"] = .integer(Int(id))
      }
      object["text_config"] = .object(inner)
    }
    return .object(object)
  }
}

extension TransformerConfiguration {
  fileprivate var huggingFaceJSON: JSONObject {
    let word =
      switch activation {
      case .quickGELU: "quick_gelu"
      case .gelu: "gelu"
      case .geluTanh: "gelu_pytorch_tanh"
      }
    return [
      "hidden_size": .integer(width), "intermediate_size": .integer(mlpWidth),
      "num_hidden_layers": .integer(layers), "num_attention_heads": .integer(heads),
      "hidden_act": .string(word),
      "layer_norm_eps": .number(Double("\(layerNormEpsilon)") ?? Double(layerNormEpsilon)),
    ]
  }
}
