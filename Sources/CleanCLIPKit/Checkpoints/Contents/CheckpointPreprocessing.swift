/// How the images of a checkpoint are prepared, and who says so.
struct CheckpointPreprocessing {
  let value: ImagePreprocessing
  /// In words, for `inspect`.
  let source: String
  /// Whether nobody says so.
  let isAssumed: Bool

  /// The key of a graph's metadata, whose value is OpenCLIP's `preprocess_cfg`.
  static let metadataKey = "preprocess_cfg"
  private static let fileName = "preprocessor_config.json"
  private static let openCLIPName = "open_clip_config.json"

  private init(_ value: ImagePreprocessing, _ source: String, isAssumed: Bool = false) {
    self.value = value
    self.source = source
    self.isAssumed = isAssumed
  }

  /// CLIP's own.
  static let assumed = CheckpointPreprocessing(
    ImagePreprocessing(), "assumed: CLIP's own", isAssumed: true)

  /// What the caller says: JSON or the path of a file.
  static func given(_ text: String, imageSize: Int?) throws(CLIPError) -> CheckpointPreprocessing {
    CheckpointPreprocessing(
      try ImagePreprocessing.reading(textOrPath: text, imageSize: imageSize), "the options")
  }

  /// What an `open_clip_config.json` says that was read already.
  static func known(_ value: ImagePreprocessing, from source: String) -> CheckpointPreprocessing {
    CheckpointPreprocessing(value, source)
  }

  /// What a graph's metadata say, or a file beside the graph, or in the folder above a folder `onnx`.
  ///
  /// - Throws: as `ImagePreprocessing.reading`.
  static func ofGraph(
    _ file: InputFile, metadata: [String: String], imageSize: Int
  ) throws(CLIPError) -> CheckpointPreprocessing {
    if let text = metadata[metadataKey] {
      return CheckpointPreprocessing(
        try ImagePreprocessing.reading(
          try JSONValue.parse(text, name: file.path), imageSize: imageSize, name: file.path),
        "the graph's metadata")
    }
    guard let folder = file.folder else { return assumed }
    let above = folder.hasSuffix("/onnx/") || folder == "onnx/" ? [folder + "../"] : []
    for folder in [folder] + above {
      if let found = try beside(folder, imageSize: imageSize) { return found }
      if let found = try openCLIP(folder, imageSize: imageSize) { return found }
    }
    return assumed
  }

  /// What Hugging Face's file in a folder says.
  static func beside(
    _ folder: String, imageSize: Int?
  ) throws(CLIPError) -> CheckpointPreprocessing? {
    guard FileContents.exists(folder + fileName) else { return nil }
    return CheckpointPreprocessing(
      try ImagePreprocessing.reading(file: folder + fileName, imageSize: imageSize),
      "'\(folder + fileName)'")
  }

  private static func openCLIP(
    _ folder: String, imageSize: Int
  ) throws(CLIPError) -> CheckpointPreprocessing? {
    guard FileContents.exists(folder + openCLIPName) else { return nil }
    let bytes = try FileContents.read(folder + openCLIPName, limit: 1 << 20)
    let json = try JSONValue.parse(
      String(decoding: bytes, as: UTF8.self), name: folder + openCLIPName)
    guard json["preprocess_cfg"] != nil else { return nil }
    return CheckpointPreprocessing(
      try ImagePreprocessing.reading(json, imageSize: imageSize, name: folder + openCLIPName),
      "'\(folder + openCLIPName)'")
  }

  /// Writes Hugging Face's file beside a checkpoint, unless it says the same already.
  ///
  /// - Throws: `io`.
  static func write(
    _ value: ImagePreprocessing, imageSize: Int, to folder: String
  ) throws(CLIPError) {
    let path = folder + fileName
    if FileContents.exists(path),
      (try? ImagePreprocessing.reading(file: path, imageSize: imageSize)) == value
    {
      return
    }
    guard let json = value.huggingFaceJSON(imageSize: imageSize) else { return }
    try AtomicFile.write(json.serialized(pretty: true) + "\n", to: path)
  }
}
