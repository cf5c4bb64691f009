/// The names and layouts of tensors in a safetensors checkpoint.
package enum TensorNames: String, Sendable {
  /// OpenCLIP's, with `open_clip_config.json`.
  case openCLIP = "openclip"
  /// Hugging Face's `CLIPModel`, with `config.json`.
  case huggingFace = "huggingface"
}

/// Checkpoints in safetensors files.
enum SafeTensorsCheckpoint {
  /// Loads files with OpenCLIP's or Hugging Face's names; the configuration comes from their metadata, or
  /// from `open_clip_config.json` or `config.json` beside them.
  ///
  /// - Parameters: as `CheckpointReader.open`.
  static func load(
    _ set: SafeTensorsSet, preprocessing: String?, allowsNonFinite: Bool
  ) throws(CLIPError) -> Checkpoint {
    let path = set.path
    let names = HuggingFaceNames.prefixed(plainNames(set.entries.map(\.entry.name)))
    try HuggingFaceNames.refuseAdapters(names, path: path)
    let isHuggingFace = HuggingFaceNames.areUsed(in: names)
    var facts = CheckpointFacts()
    var configuration = try SafeTensorsConfiguration(
      set, isHuggingFace: isHuggingFace, preprocessing: preprocessing
    ).read(&facts)
    if isHuggingFace {
      try HuggingFaceNames.leaveOutTowers(without: names, of: &configuration, path: path)
    } else {
      leaveOutTowers(without: names, of: &configuration)
    }
    var tensors: [String: Tensor] = [:]
    var types: Set<String> = []
    for (index, name) in names.enumerated() where !isIgnored(name) {
      let entry = set.entries[index].entry
      guard entry.type.isFloat else {
        throw CLIPError(
          .unsupported,
          "'\(path)': tensor '\(entry.name)' is not a weight; expected f32, f16, bf16 or f64, got "
            + entry.type.rawValue)
      }
      tensors[name] = try set.tensor(index)
      types.insert(entry.type.rawValue.lowercased())
    }
    if isHuggingFace { tensors = try HuggingFaceNames.translated(tensors, configuration) }
    if let scale = tensors["logit_scale"], scale.count == 1 {
      tensors["logit_scale"] = scale.reshaped([])
    }
    facts.format = isHuggingFace ? "safetensors, Hugging Face names" : "safetensors, OpenCLIP names"
    facts.files = set.files.map { SourceFile($0.file) }
    facts.elementTypes = types.sorted()
    if tensors["logit_scale"] == nil, configuration.vision == nil || configuration.text == nil {
      tensors["logit_scale"] = try Tensor([CLIPConfiguration.initialLogitScale], [])
      facts.hasTemperature = false
      facts.notes.append("no temperature in the file: assuming CLIP's initial value, 1/0.07")
    }
    facts.producer = set.metadata["producer"] ?? ""
    return Checkpoint(configuration: configuration, tensors: tensors, facts: facts)
  }

  /// Leaves out the tower that a file has no tensor of, whatever its configuration says; a file with
  /// neither keeps both, which are then missing.
  private static func leaveOutTowers(
    without names: [String], of configuration: inout CLIPConfiguration
  ) {
    let hasVision = names.contains { $0.hasPrefix("visual.") }
    let hasText = names.contains {
      $0.hasPrefix("transformer.")
        || ["token_embedding.weight", "positional_embedding", "text_projection"].contains($0)
    }
    if hasVision && !hasText { configuration.text = nil }
    if hasText && !hasVision { configuration.vision = nil }
  }

  /// Names without "module." of parallel training, where every name has it, and without "text." of
  /// OpenCLIP's models with a text tower of their own.
  private static func plainNames(_ names: [String]) -> [String] {
    var names = names
    if !names.isEmpty, names.allSatisfy({ $0.hasPrefix("module.") }) {
      names = names.map { String($0.dropFirst("module.".count)) }
    }
    guard names.contains("text.token_embedding.weight") else { return names }
    return names.map { $0.hasPrefix("text.") ? String($0.dropFirst("text.".count)) : $0 }
  }

  /// Entries of state dictionaries that are no weights.
  private static func isIgnored(_ name: String) -> Bool {
    name.hasSuffix("num_batches_tracked") || name.hasSuffix("position_ids")
      || name.hasSuffix("attn_mask")
      || ["input_resolution", "context_length", "vocab_size"].contains(name)
  }

  /// Writes a checkpoint. A file called `open_clip_model.safetensors` or `model.safetensors` gets
  /// the configuration beside it that its users' libraries look for.
  ///
  /// - Throws: `unsupported` for a ResNet under Hugging Face's names; `io`.
  static func write(
    _ configuration: CLIPConfiguration, _ tensors: [String: Tensor],
    to destination: FileDestination, names: TensorNames
  ) throws(CLIPError) {
    let path = destination.path ?? ""
    let folder = ModelPaths.folder(of: path)
    let base = String(path.dropFirst(folder.count))
    var metadata = ["format": "pt", "producer": "cleanclip"]
    switch names {
    case .openCLIP:
      metadata[SafeTensorsConfiguration.metadataKey] = configuration.openCLIPJSON.serialized()
      let ordered = configuration.tensorSpecifications.compactMap { specification in
        tensors[specification.name].map { (name: specification.name, tensor: $0) }
      }
      if base == "open_clip_model.safetensors" {
        try AtomicFile.write(
          configuration.openCLIPJSON.serialized(pretty: true) + "\n",
          to: folder + "open_clip_config.json")
      }
      try SafeTensors.write(ordered, metadata: metadata, to: destination)
    case .huggingFace:
      guard let json = configuration.huggingFaceJSON else {
        throw CLIPError(
          .unsupported,
          "'\(destination.name)': Hugging Face has no CLIP with a ResNet; expected a Vision Transformer; save "
            + "it with OpenCLIP's names")
      }
      // Hugging Face's file has no words for some models: its reader must find the same model.
      metadata[SafeTensorsConfiguration.metadataKey] = configuration.openCLIPJSON.serialized()
      let ordered = try HuggingFaceNames.exported(tensors, configuration)
      if base == "model.safetensors" {
        try AtomicFile.write(json.serialized(pretty: true) + "\n", to: folder + "config.json")
        if let imageSize = configuration.vision?.imageSize {
          try CheckpointPreprocessing.write(
            configuration.preprocessing, imageSize: imageSize, to: folder)
        }
      }
      try SafeTensors.write(ordered, metadata: metadata, to: destination)
    }
  }
}
