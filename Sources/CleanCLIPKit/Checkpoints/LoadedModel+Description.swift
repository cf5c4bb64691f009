internal import Glibc

extension LoadedModel {
  /// What people ask about a checkpoint first: towers, sizes, weights, origin, what is wrong.
  package func description() -> JSONValue {
    var object = JSONObject()
    if let facts { describe(facts, in: &object) }
    let configuration = model.configuration
    object["embed_dim"] = .integer(configuration.embedDim)
    object["image_tower"] = configuration.vision.map(Self.describe) ?? .null
    object["text_tower"] = configuration.text.map(Self.describe) ?? .null
    object["logit_scale"] = .single(expf(model.logitScale.value.f32[0]))
    object["pixel_mean"] = .array(configuration.imageMean.map(JSONValue.single))
    object["pixel_standard_deviation"] = .array(
      configuration.imageStandardDeviation.map(JSONValue.single))
    object["parameters"] = .integer(model.parameterCount)
    object["image_parameters"] = .integer(
      model.imageParameters.reduce(0) { $0 + $1.value.count })
    object["checksum"] = .string(checksum)
    let broken = model.nonFiniteTensors()
    object["not_finite"] = .array(broken.map { .string($0) })
    if let facts { object["notes"] = .array(facts.notes.map { .string($0) }) }
    return .object(object)
  }

  private func describe(_ facts: CheckpointFacts, in object: inout JSONObject) {
    object["files"] = .array(facts.files.map { .string($0) })
    object["format"] = .string(facts.format)
    object["bytes"] = .integer(facts.byteCount)
    if !facts.producer.isEmpty { object["producer"] = .string(facts.producer) }
    if let version = facts.irVersion { object["ir_version"] = .integer(version) }
    if let opset = facts.opset { object["opset"] = .integer(opset) }
    if let nodes = facts.nodes { object["nodes"] = .integer(nodes) }
    if !facts.inputs.isEmpty { object["inputs"] = .array(facts.inputs.map { .string($0) }) }
    if !facts.outputs.isEmpty { object["outputs"] = .array(facts.outputs.map { .string($0) }) }
    object["element_types"] = .array(facts.elementTypes.map { .string($0) })
    if !facts.fixedParameters.isEmpty {
      var fixed = JSONObject()
      for (name, reason) in facts.fixedParameters.sorted(by: { $0.key < $1.key }) {
        fixed[name] = .string(reason)
      }
      object["not_writable"] = .object(fixed)
    }
  }

  private static func describe(_ vision: VisionConfiguration) -> JSONValue {
    switch vision {
    case .transformer(let vision):
      var object: JSONObject = [
        "kind": "VisionTransformer", "image_size": .integer(vision.imageSize),
        "patch_size": .integer(vision.patchSize),
      ]
      describe(vision.transformer, in: &object)
      return .object(object)
    case .resNet(let vision):
      return [
        "kind": "ModifiedResNet", "image_size": .integer(vision.imageSize),
        "width": .integer(vision.width), "layers": .array(vision.layers.map { .integer($0) }),
        "heads": .integer(vision.heads),
        "batch_norm": vision.batchNorm == .folded ? "folded into convolutions" : "layers",
      ]
    }
  }

  private static func describe(_ text: TextConfiguration) -> JSONValue {
    var object: JSONObject = [
      "context_length": .integer(text.contextLength),
      "vocab_size": .integer(text.vocabularySize),
    ]
    describe(text.transformer, in: &object)
    switch text.endOfText {
    case .highestID: object["end_of_text"] = "highest id"
    case .id(let id): object["end_of_text"] = .integer(Int(id))
    }
    return .object(object)
  }

  private static func describe(_ transformer: TransformerConfiguration, in object: inout JSONObject) {
    object["width"] = .integer(transformer.width)
    object["layers"] = .integer(transformer.layers)
    object["heads"] = .integer(transformer.heads)
    object["mlp_width"] = .integer(transformer.mlpWidth)
    object["activation"] = .string(transformer.activation.rawValue)
    object["layer_norm_epsilon"] = .single(transformer.layerNormEpsilon)
  }

  /// Equal for equal weights, whatever file they are in.
  private var checksum: String {
    var fingerprint = Fingerprint()
    for (_, tensor) in model.stateDict() { fingerprint.add(tensor) }
    return fingerprint.text
  }
}
