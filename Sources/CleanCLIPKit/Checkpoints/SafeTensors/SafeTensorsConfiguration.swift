/// Finds the configuration of a safetensors checkpoint: in its metadata or beside it.
struct SafeTensorsConfiguration {
  /// The member of the metadata that has OpenCLIP's configuration.
  static let metadataKey = "open_clip_config"
  private static let huggingFaceKey = "config"

  private let set: SafeTensorsSet
  private let isHuggingFace: Bool
  /// What the caller says of the preprocessing: JSON or the path of a file.
  private let preprocessing: String?

  init(_ set: SafeTensorsSet, isHuggingFace: Bool, preprocessing: String?) {
    self.set = set
    self.isHuggingFace = isHuggingFace
    self.preprocessing = preprocessing
  }

  /// - Parameter facts: says where the preprocessing comes from.
  /// - Throws: `notFound` for no configuration; what reading one throws.
  func read(_ facts: inout CheckpointFacts) throws(CLIPError) -> CLIPConfiguration {
    var (configuration, said) = try described()
    guard let imageSize = configuration.vision?.imageSize else { return configuration }
    if let preprocessing {
      said = try CheckpointPreprocessing.given(preprocessing, imageSize: imageSize)
    }
    configuration.preprocessing = said.value
    facts.preprocessingSource = said.source
    return configuration
  }

  private func described() throws(CLIPError) -> (CLIPConfiguration, CheckpointPreprocessing) {
    let path = set.path
    if let text = set.metadata[Self.metadataKey] {
      return try openCLIP(try JSONValue.parse(text, name: path), path, "the file's metadata")
    }
    let folder = set.folder
    if isHuggingFace, let text = set.metadata[Self.huggingFaceKey] {
      return try huggingFace(try JSONValue.parse(text, name: path), path, folder)
    }
    let name = isHuggingFace ? "config.json" : "open_clip_config.json"
    guard let folder else {
      throw CLIPError(
        .notFound,
        "'\(path)': has no configuration; expected '\(Self.metadataKey)' in its metadata, because bytes "
          + "have nothing beside them; load the model by its path")
    }
    guard FileContents.exists(folder + name) else {
      throw CLIPError(
        .notFound,
        "'\(path)': has no configuration; expected '\(name)' beside it or '\(Self.metadataKey)' in "
          + "its metadata; copy the model's \(name) there")
    }
    let bytes = try FileContents.read(folder + name, limit: 1 << 20)
    let json = try JSONValue.parse(String(decoding: bytes, as: UTF8.self), name: folder + name)
    return isHuggingFace
      ? try huggingFace(json, folder + name, folder)
      : try openCLIP(json, folder + name, "'\(folder + name)'")
  }

  private func openCLIP(
    _ json: JSONValue, _ name: String, _ source: String
  ) throws(CLIPError) -> (CLIPConfiguration, CheckpointPreprocessing) {
    var members = json.object ?? JSONObject()
    let isSaid = members["preprocess_cfg"] != nil
    // What the caller says is in its place, whatever it is.
    if preprocessing != nil { members["preprocess_cfg"] = nil }
    let configuration = try CLIPConfiguration.reading(
      openCLIP: json.object == nil ? json : .object(members), name: name)
    return (
      configuration,
      isSaid ? .known(configuration.preprocessing, from: source) : .assumed
    )
  }

  private func huggingFace(
    _ json: JSONValue, _ name: String, _ folder: String?
  ) throws(CLIPError) -> (CLIPConfiguration, CheckpointPreprocessing) {
    let configuration = try CLIPConfiguration.reading(huggingFace: json, name: name)
    guard preprocessing == nil, let folder, let imageSize = configuration.vision?.imageSize else {
      return (configuration, .assumed)
    }
    return (
      configuration,
      try CheckpointPreprocessing.beside(folder, imageSize: imageSize) ?? .assumed
    )
  }
}
