extension ImagePreprocessing {
  /// Reads what lies beside a model: OpenCLIP's `preprocess_cfg`, also inside an
  /// `open_clip_config.json`, or Hugging Face's `preprocessor_config.json`.
  ///
  /// - Parameters:
  ///   - imageSize: S of the model, which sizes must be; `nil` without an image tower.
  ///   - name: what error messages call the document.
  ///   - remedy: what helps where the document is wrong.
  /// - Throws: `format` for a member that is not what it should be; `unsupported` for a member or a value
  ///   that is not known, naming it.
  package static func reading(
    _ json: JSONValue, imageSize: Int?, name: String, remedy: PreprocessingRemedy = .ofFileBeside
  ) throws(CLIPError) -> ImagePreprocessing {
    let inner = json["preprocess_cfg"]
    let reader = try PreprocessingReader(
      inner ?? json, imageSize: imageSize, name: name, path: inner == nil ? "" : "preprocess_cfg.",
      remedy: remedy)
    return inner == nil && reader.isHuggingFace ? try reader.huggingFace() : try reader.openCLIP()
  }

  /// Reads such a document as options give it: a text, or the path of a file.
  ///
  /// - Throws: as the other `reading`; `notFound`, `io`.
  package static func reading(
    textOrPath text: String, imageSize: Int?, remedy: PreprocessingRemedy = .ofOptions
  ) throws(CLIPError) -> ImagePreprocessing {
    if text.first(where: { !$0.isWhitespace }) == "{" {
      return try reading(
        try JSONValue.parse(text, name: "preprocessing"), imageSize: imageSize,
        name: "preprocessing", remedy: remedy)
    }
    return try reading(file: text, imageSize: imageSize, remedy: remedy)
  }

  /// Reads such a document from a file.
  static func reading(
    file path: String, imageSize: Int?, remedy: PreprocessingRemedy = .ofFileBeside
  ) throws(CLIPError) -> ImagePreprocessing {
    let bytes = try FileContents.read(path, limit: 1 << 20)
    return try reading(
      try JSONValue.parse(String(decoding: bytes, as: UTF8.self), name: path),
      imageSize: imageSize, name: path, remedy: remedy)
  }

  /// The preparation as OpenCLIP's `preprocess_cfg`.
  package var json: JSONValue {
    var object: JSONObject = [
      "mean": .array(mean.map(Self.number)), "std": .array(standardDeviation.map(Self.number)),
      "interpolation": .string(interpolation.rawValue),
      "resize_mode": .string(resizeMode.rawValue),
    ]
    if resizeMode == .longest { object["fill_color"] = .integer(Int(fillColor)) }
    return .object(object)
  }

  /// The preparation as Hugging Face's `preprocessor_config.json`; `nil` where it has no words for it.
  func huggingFaceJSON(imageSize: Int) -> JSONValue? {
    guard resizeMode != .longest else { return nil }
    let square: JSONValue = ["height": .integer(imageSize), "width": .integer(imageSize)]
    return [
      "image_processor_type": "CLIPImageProcessor", "do_convert_rgb": true, "do_resize": true,
      "size": resizeMode == .squash ? square : ["shortest_edge": .integer(imageSize)],
      "resample": interpolation == .bilinear ? 2 : 3,
      "do_center_crop": .bool(resizeMode == .shortest), "crop_size": square,
      "do_rescale": true, "rescale_factor": 0.00392156862745098, "do_normalize": true,
      "image_mean": .array(mean.map(Self.number)),
      "image_std": .array(standardDeviation.map(Self.number)),
    ]
  }

  private static func number(_ value: Float) -> JSONValue { .number(Double("\(value)") ?? 0) }
}

/// What helps where a document of preprocessing is wrong, which depends on who gave it.
package struct PreprocessingRemedy: Sendable {
  /// Where a member or its value is wrong.
  let member: String
  /// Where a size is not that of the images.
  let size: String

  package init(member: String, size: String) {
    self.member = member
    self.size = size
  }

  /// A file beside a model, which options can replace.
  package static let ofFileBeside = PreprocessingRemedy(
    member: "give the preprocessing in the options to leave the file's out",
    size: "give the preprocessing in the options to leave the file's out")
  /// What options say of a model, which has one size.
  package static let ofOptions = PreprocessingRemedy(
    member: "correct it", size: "leave the size out")
  /// What options say of images whose size is an option too.
  package static let ofImageSize = PreprocessingRemedy(
    member: "correct it", size: "leave the size out, or make image_size the same")
}

/// Reads the members of a document; see `ImagePreprocessing.reading`.
private struct PreprocessingReader {
  private let members: JSONObject
  private let imageSize: Int?
  private let name: String
  private let path: String
  private let remedy: PreprocessingRemedy

  init(
    _ json: JSONValue, imageSize: Int?, name: String, path: String, remedy: PreprocessingRemedy
  ) throws(CLIPError) {
    guard let members = json.object else {
      throw CLIPError(
        .format,
        "'\(name)': \(path.isEmpty ? "it" : path) is not an object; expected members such as mean and "
          + "resize_mode")
    }
    self.members = members
    self.imageSize = imageSize
    self.name = name
    self.path = path
    self.remedy = remedy
  }

  var isHuggingFace: Bool {
    ["image_processor_type", "feature_extractor_type", "image_mean", "do_resize", "crop_size"]
      .contains { members[$0] != nil }
  }

  // MARK: OpenCLIP

  func openCLIP() throws(CLIPError) -> ImagePreprocessing {
    try allow(["size", "mode", "mean", "std", "interpolation", "resize_mode", "fill_color"])
    var result = ImagePreprocessing()
    if let mean = try channels("mean", isPositive: false) { result.mean = mean }
    if let deviation = try channels("std", isPositive: true) {
      result.standardDeviation = deviation
    }
    try check("mode", ["RGB"])
    // "random" is meant for training; OpenCLIP evaluates such models with bicubic interpolation.
    if let word = try check("interpolation", Interpolation.allCases.map(\.rawValue) + ["random"]) {
      result.interpolation = Interpolation(rawValue: word) ?? .bicubic
    }
    if let word = try check("resize_mode", ResizeMode.allCases.map(\.rawValue)) {
      result.resizeMode = ResizeMode(rawValue: word) ?? .shortest
    }
    if let value = member("fill_color") {
      guard let color = value.integer, let byte = UInt8(exactly: color) else {
        throw wrong("fill_color", "a number from 0 to 255")
      }
      result.fillColor = byte
    }
    if let value = member("size") {
      let sides = value.array ?? [value, value]
      guard sides.count == 2 else { throw wrong("size", "one number or two") }
      for side in sides { try checkSide(side, "size") }
    }
    return result
  }

  // MARK: Hugging Face

  /// What says nothing about pixels.
  private static let labels: Set<String> = [
    "image_processor_type", "feature_extractor_type", "processor_class", "do_convert_rgb",
    "_valid_processor_keys", "data_format", "input_data_format", "return_tensors", "device",
    "disable_grouping", "default_to_square", "model_input_names",
  ]

  func huggingFace() throws(CLIPError) -> ImagePreprocessing {
    try allow(
      Self.labels.union([
        "do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale",
        "rescale_factor", "do_normalize", "image_mean", "image_std",
      ]))
    var result = ImagePreprocessing()
    try require("do_resize")
    try require("do_rescale")
    if let factor = member("rescale_factor") {
      guard let number = factor.double, abs(number * 255 - 1) < 1e-4 else {
        throw wrong("rescale_factor", "1/255", code: .unsupported)
      }
    }
    if try flag("do_normalize") {
      if let mean = try channels("image_mean", isPositive: false) { result.mean = mean }
      if let deviation = try channels("image_std", isPositive: true) {
        result.standardDeviation = deviation
      }
    } else {
      result = result.withoutNormalization
    }
    if let value = member("resample") {
      switch value.integer {
      case 2: result.interpolation = .bilinear
      case 3: result.interpolation = .bicubic
      default: throw wrong("resample", "2 (bilinear) or 3 (bicubic)", code: .unsupported)
      }
    }
    result.resizeMode = try huggingFaceMode()
    return result
  }

  private func huggingFaceMode() throws(CLIPError) -> ResizeMode {
    let crops = try flag("do_center_crop")
    if crops, let size = member("crop_size") {
      try checkSide(size["height"] ?? size, "crop_size")
      try checkSide(size["width"] ?? size, "crop_size")
    }
    guard let size = member("size") else { return .shortest }
    if let height = size["height"], let width = size["width"] {
      try checkSide(height, "size")
      try checkSide(width, "size")
      return .squash
    }
    guard size.object?.contains(where: { $0.key != "shortest_edge" && $0.value != .null }) != true
    else {
      throw wrong("size", "shortest_edge, or height and width", code: .unsupported)
    }
    try checkSide(size["shortest_edge"] ?? size, "size")
    guard crops else {
      throw wrong(
        "do_center_crop", "true where size is the shortest edge: towers read squares",
        code: .unsupported)
    }
    return .shortest
  }

  // MARK: Members

  private func member(_ key: String) -> JSONValue? {
    members[key].flatMap { $0 == .null ? nil : $0 }
  }

  private func wrong(
    _ key: String, _ expected: String, code: CLIPError.Code = .format, remedy: String? = nil
  ) -> CLIPError {
    CLIPError(
      code,
      "'\(name)': \(path)\(key) cannot be used; expected \(expected), got "
        + "\(members[key]?.serialized() ?? "nothing"); \(remedy ?? self.remedy.member)")
  }

  /// Refuses members that are not known, unless they say that something is not used.
  private func allow(_ keys: Set<String>) throws(CLIPError) {
    for (key, value) in members where !keys.contains(key) {
      guard value == .null || value.bool == false else {
        throw wrong(key, "one of \(keys.sorted().joined(separator: ", "))", code: .unsupported)
      }
    }
  }

  private func flag(_ key: String) throws(CLIPError) -> Bool {
    guard let value = member(key) else { return true }
    guard let flag = value.bool else { throw wrong(key, "true or false") }
    return flag
  }

  private func require(_ key: String) throws(CLIPError) {
    guard try flag(key) else { throw wrong(key, "true", code: .unsupported) }
  }

  @discardableResult
  private func check(_ key: String, _ words: [String]) throws(CLIPError) -> String? {
    guard let value = member(key) else { return nil }
    guard let word = value.string else { throw wrong(key, words.joined(separator: " or ")) }
    guard words.contains(word) else {
      throw wrong(key, words.joined(separator: " or "), code: .unsupported)
    }
    return word
  }

  private func channels(_ key: String, isPositive: Bool) throws(CLIPError) -> [Float]? {
    guard let value = member(key) else { return nil }
    let numbers = value.array?.compactMap(\.double).map { Float($0) } ?? []
    guard numbers.count == 3, value.array?.count == 3,
      numbers.allSatisfy({ $0.isFinite && (!isPositive || $0 > 0) })
    else {
      throw wrong(key, isPositive ? "three positive numbers" : "three numbers")
    }
    return numbers
  }

  private func checkSide(_ value: JSONValue, _ key: String) throws(CLIPError) {
    guard let side = value.integer else { throw wrong(key, "a number of pixels") }
    if let imageSize, side != imageSize {
      throw wrong(
        key, "\(imageSize) pixels, the side of the images", code: .unsupported, remedy: remedy.size)
    }
  }
}
