internal import Glibc

/// What people ask first about a model, as JSON.
struct CheckpointDescription {
  private let model: CLIPModel
  private let facts: CheckpointFacts?

  init(_ model: CLIPModel, _ facts: CheckpointFacts?) {
    self.model = model
    self.facts = facts
  }

  func json() throws(CLIPError) -> JSONValue {
    var object = JSONObject()
    if let facts { try describe(facts, in: &object) }
    let configuration = model.configuration
    object["embed_dim"] = .integer(configuration.embedDim)
    object["image_tower"] = configuration.vision.map(tower) ?? .null
    object["text_tower"] = configuration.text.map(tower) ?? .null
    object["logit_scale"] = .number(
      Double(expf(model.logitScale.value.f32[0])).rounded(toDigits: 7))
    object["parameters"] = .integer(model.parameterCount)
    object["image_parameters"] = .integer(count { $0.hasPrefix("visual.") })
    object["text_parameters"] = .integer(
      count { !$0.hasPrefix("visual.") && $0 != "logit_scale" })
    object["normalization"] = normalization
    object["image_mean"] = .array(configuration.imageMean.map(decimal))
    object["image_std"] = .array(configuration.imageStandardDeviation.map(decimal))
    let preprocessing = configuration.preprocessing
    object["resize_mode"] = .string(preprocessing.resizeMode.rawValue)
    object["interpolation"] = .string(preprocessing.interpolation.rawValue)
    if preprocessing.resizeMode == .longest {
      object["fill_color"] = .integer(Int(preprocessing.fillColor))
    }
    if let source = facts?.preprocessingSource, !source.isEmpty {
      object["preprocessing_source"] = .string(source)
    }
    if let facts {
      let fixed = facts.fixedParameters.keys.sorted()
      object["trainable"] = .string(
        fixed.isEmpty ? "all parameters" : "all parameters but \(fixed.joined(separator: ", "))")
      object["shared_tensors"] = .integer(facts.sharedTensors)
    }
    let bad = model.nonFiniteTensors()
    object["finite"] = .bool(bad.isEmpty)
    if !bad.isEmpty { object["non_finite_tensors"] = .array(bad.map { .string($0) }) }
    if let facts, !facts.notes.isEmpty {
      object["notes"] = .array(facts.notes.map { .string($0) })
    }
    return .object(object)
  }

  private func describe(
    _ facts: CheckpointFacts, in object: inout JSONObject
  ) throws(CLIPError) {
    object["format"] = .string(facts.format)
    object["files"] = .array(try facts.describedFiles())
    object["precision"] = .string(facts.elementTypes.joined(separator: ", "))
    object["exporter"] = .string(facts.producer.isEmpty ? "unknown" : facts.producer)
    if let version = facts.irVersion { object["ir_version"] = .integer(version) }
    if let opset = facts.opset { object["opset"] = .integer(opset) }
    if let nodes = facts.nodes { object["nodes"] = .integer(nodes) }
    if !facts.inputs.isEmpty { object["inputs"] = .array(facts.inputs.map { .string($0) }) }
    if !facts.outputs.isEmpty {
      var outputs = JSONObject()
      for name in facts.outputs { outputs[name] = .string(facts.outputKinds[name] ?? "unused") }
      object["outputs"] = .object(outputs)
    }
  }

  private func count(_ condition: (String) -> Bool) -> Int {
    model.parameters.reduce(0) { $0 + (condition($1.name) ? $1.value.count : 0) }
  }

  private func decimal(_ value: Float) -> JSONValue {
    .number(Double(value).rounded(toDigits: 7))
  }

  private var normalization: JSONValue {
    guard case .resNet(let vision)? = model.configuration.vision else { return "layer norm" }
    return vision.batchNorm == .folded
      ? "batch norm, folded into the convolutions" : "batch norm, layers of their own"
  }

  private func tower(_ vision: VisionConfiguration) -> JSONValue {
    switch vision {
    case .transformer(let vision):
      var object: JSONObject = [
        "kind": "vision transformer", "image_size": .integer(vision.imageSize),
        "patch_size": .integer(vision.patchSize),
      ]
      describe(vision.transformer, in: &object)
      return .object(object)
    case .resNet(let vision):
      return [
        "kind": "modified resnet", "image_size": .integer(vision.imageSize),
        "layers": .array(vision.layers.map { .integer($0) }), "width": .integer(vision.width),
        "heads": .integer(vision.heads),
      ]
    }
  }

  private func tower(_ text: TextConfiguration) -> JSONValue {
    var object: JSONObject = [
      "kind": "causal transformer", "context_length": .integer(text.contextLength),
      "vocab_size": .integer(text.vocabularySize),
    ]
    describe(text.transformer, in: &object)
    switch text.endOfText {
    case .highestID: object["end_of_text"] = "highest id"
    case .id(let id): object["end_of_text"] = .integer(Int(id))
    }
    return .object(object)
  }

  private func describe(
    _ transformer: TransformerConfiguration, in object: inout JSONObject
  ) {
    object["width"] = .integer(transformer.width)
    object["layers"] = .integer(transformer.layers)
    object["heads"] = .integer(transformer.heads)
    object["mlp_width"] = .integer(transformer.mlpWidth)
    object["activation"] = .string(transformer.activation.rawValue)
    object["layer_norm_epsilon"] = decimal(transformer.layerNormEpsilon)
  }
}

extension Double {
  /// Rounds to significant decimal digits, so that single-precision numbers print as written.
  fileprivate func rounded(toDigits digits: Int) -> Double {
    guard self != 0, isFinite else { return self }
    let factor = pow(10, Double(digits) - 1 - log10(Swift.abs(self)).rounded(.down))
    return (self * factor).rounded() / factor
  }
}

extension CheckpointFacts {
  /// Path, size and SHA-256 of each file, the hash only where the file is still what was read.
  ///
  /// - Throws: `io` when a file cannot be read.
  func describedFiles() throws(CLIPError) -> [JSONValue] {
    var files: [JSONValue] = []
    for file in self.files {
      guard !file.isInMemory else {
        files.append(["path": .string(file.path), "bytes": .integer(file.stamp.byteCount)])
        continue
      }
      // A file may be gone, or a temporary one: the model does not need it any more.
      guard FileContents.exists(file.path) else {
        files.append(["path": .string(file.path)])
        continue
      }
      let (count, hash) = try SHA256.hash(ofFile: file.path)
      // The hash of other bytes than those that were read would be that of another model.
      let isSame = try FileStamp(path: file.path) == file.stamp
      files.append(
        isSame
          ? ["path": .string(file.path), "bytes": .integer(count), "sha256": .string(hash)]
          : ["path": .string(file.path), "changed_since_loaded": true])
    }
    return files
  }
}
