extension CLIPConfiguration {
  /// Returns an architecture by name or from the text of an OpenCLIP model configuration.
  ///
  /// - Throws: `notFound` for an unknown name; what reading a configuration throws.
  package static func architecture(_ nameOrJSON: String) throws(CLIPError) -> CLIPConfiguration {
    guard nameOrJSON.contains("{") else { return try named(nameOrJSON) }
    return try CLIPConfiguration(
      openCLIP: try JSONValue.parse(nameOrJSON, name: "architecture"), name: "architecture")
  }

  /// Reads an OpenCLIP model configuration: `embed_dim`, `vision_cfg`, `text_cfg`, `quick_gelu`; or
  /// an `open_clip_config.json` with that as `model_cfg` beside `preprocess_cfg`.
  ///
  /// - Parameter name: what error messages call the document.
  /// - Throws: `format` where a size is missing or not a number; `unsupported` for what CLIP's own
  ///   towers do not have, naming the member.
  package init(openCLIP json: JSONValue, name: String) throws(CLIPError) {
    let model = ConfigurationReader(json["model_cfg"] ?? json, name: name, path: "")
    try model.allow(["embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text"])
    let activation: Activation = model.json["quick_gelu"]?.bool == true ? .quickGELU : .gelu
    let visionReader = try model.member("vision_cfg")
    let textReader = try model.member("text_cfg")
    self.init(
      embedDim: try model.integer("embed_dim"),
      vision: try visionReader.map { (reader) throws(CLIPError) in
        try Self.vision(reader, activation)
      },
      text: try textReader.map { (reader) throws(CLIPError) in try Self.text(reader, activation) })
    if json["preprocess_cfg"] != nil {
      preprocessing = try ImagePreprocessing.reading(
        json, imageSize: vision?.imageSize, name: name)
    }
    try validate()
  }

  private static func vision(
    _ reader: ConfigurationReader, _ activation: Activation
  ) throws(CLIPError) -> VisionConfiguration {
    try reader.allow([
      "image_size", "layers", "width", "head_width", "patch_size", "mlp_ratio", "patch_dropout",
    ])
    let imageSize = try reader.integer("image_size", default: 224)
    let width = try reader.integer("width", default: 768)
    let headWidth = try reader.integer("head_width", default: 64)
    if let stages = reader.json["layers"]?.array {
      let layers = stages.compactMap(\.integer)
      guard layers.count == stages.count else { throw reader.wrong("layers", "four counts") }
      return .resNet(
        ModifiedResNetConfiguration(
          imageSize: imageSize, width: width, layers: layers,
          heads: try reader.quotient(width, 32, headWidth), batchNorm: .separate(epsilon: 1e-5)))
    }
    return .transformer(
      VisionTransformerConfiguration(
        imageSize: imageSize, patchSize: try reader.integer("patch_size", default: 16),
        transformer: TransformerConfiguration(
          width: width, layers: try reader.integer("layers", default: 12),
          heads: try reader.quotient(width, 1, headWidth), mlpWidth: try reader.mlpWidth(width),
          activation: activation)))
  }

  private static func text(
    _ reader: ConfigurationReader, _ activation: Activation
  ) throws(CLIPError) -> TextConfiguration {
    try reader.allow([
      "context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "tokenizer_kwargs",
    ])
    let width = try reader.integer("width", default: 512)
    return TextConfiguration(
      contextLength: try reader.integer("context_length", default: 77),
      vocabularySize: try reader.integer("vocab_size", default: 49408),
      transformer: TransformerConfiguration(
        width: width, layers: try reader.integer("layers", default: 12),
        heads: try reader.integer("heads", default: 8), mlpWidth: try reader.mlpWidth(width),
        activation: activation))
  }
}

/// Reads the members of one object of a configuration.
private struct ConfigurationReader {
  let json: JSONValue
  let name: String
  /// Where the object is, for messages: `vision_cfg.`.
  let path: String

  init(_ json: JSONValue, name: String, path: String) {
    self.json = json
    self.name = name
    self.path = path
  }

  func wrong(_ key: String, _ expected: String) -> CLIPError {
    CLIPError(
      .format,
      "'\(name)': \(path)\(key) cannot be used; expected \(expected), "
        + "got \(json[key]?.serialized() ?? "nothing")")
  }

  /// Refuses members that are not known, unless they say that something is not used.
  func allow(_ keys: Set<String>) throws(CLIPError) {
    guard let object = json.object else {
      throw CLIPError(
        .format, "'\(name)': \(path.isEmpty ? "it" : path) is not an object; expected sizes")
    }
    for (key, value) in object where !keys.contains(key) {
      guard value == .null || value.bool == false else {
        throw CLIPError(
          .unsupported,
          "'\(name)': \(path)\(key) is not supported; expected CLIP's own towers with "
            + "\(keys.sorted().joined(separator: ", ")), got \(value.serialized())")
      }
    }
  }

  func member(_ key: String) throws(CLIPError) -> ConfigurationReader? {
    guard let value = json[key], value != .null else { return nil }
    guard value.object != nil else { throw wrong(key, "an object") }
    return ConfigurationReader(value, name: name, path: "\(key).")
  }

  func integer(_ key: String, default fallback: Int? = nil) throws(CLIPError) -> Int {
    guard let value = json[key], value != .null else {
      guard let fallback else { throw wrong(key, "a number") }
      return fallback
    }
    guard let number = value.integer, (1...16_777_216).contains(number) else {
      throw wrong(key, "a number from 1 to 16777216")
    }
    return number
  }

  /// Returns `width * factor / headWidth`, the number of heads.
  func quotient(_ width: Int, _ factor: Int, _ headWidth: Int) throws(CLIPError) -> Int {
    guard width * factor % headWidth == 0 else {
      throw wrong("head_width", "a divisor of \(width * factor)")
    }
    return width * factor / headWidth
  }

  func mlpWidth(_ width: Int) throws(CLIPError) -> Int {
    guard let value = json["mlp_ratio"], value != .null else { return width * 4 }
    guard let ratio = value.double, ratio > 0, ratio <= 64 else {
      throw wrong("mlp_ratio", "a number above 0 and at most 64")
    }
    return Int(Double(width) * ratio)
  }
}
