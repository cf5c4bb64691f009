internal import Glibc

/// Features that were made in parts, in the order of their files.
///
/// Nothing but names is in memory; rows are read where they are.
package struct FeatureParts {
  private let parts: [FeaturePart]

  /// Opens files.
  ///
  /// - Parameter specification: files, folders, or patterns as the shell's; of a folder, the `.npy` and
  ///   `.safetensors` files in it, by name.
  /// - Throws: `notFound`, `io`, `format`, `unsupported` for files that are no parts; `invalidArgument`
  ///   when parts disagree, saying which and how, and for a file that is given twice.
  package init(_ specification: [String]) throws(CLIPError) {
    let expected = "files of features"
    var parts: [FeaturePart] = []
    var known: [FileIdentity: String] = [:]
    for pattern in specification {
      for path in try SourcePattern.expand(pattern, for: expected) {
        for file in try Self.files(path) {
          if let identity = FileIdentity(file: file),
            let other = known.updateValue(file, forKey: identity)
          {
            throw CLIPError(
              .invalidArgument,
              "'\(file)': is the part '\(other)' again; expected each part once, got it twice; leave one "
                + "of them out")
          }
          parts.append(try FeaturePart(file))
        }
      }
    }
    self.parts = parts
    guard let first = parts.first else {
      throw CLIPError(
        .invalidArgument, "features: nothing to open; expected \(expected), got none")
    }
    for part in parts.dropFirst() { try Self.check(part, like: first) }
  }

  /// The image features by the model under suspicion, which may not be normalized.
  ///
  /// - Throws: `invalidArgument` when parts have none, or normalized ones.
  package func imageFeatures() throws(CLIPError) -> GivenFeatures {
    if let part = parts.first(where: { $0.isNormalized == true }) {
      throw CLIPError(
        .invalidArgument,
        "'\(part.path)': features are L2-normalized; expected them as the model gives them, because "
          + "their length tells; embed with --no-normalize")
    }
    return try given(.image)
  }

  /// The features of images or of captions by a trusted checkpoint, of any length.
  ///
  /// - Throws: `invalidArgument` when parts lack them.
  package func trusted(ofTexts isOfTexts: Bool) throws(CLIPError) -> GivenFeatures {
    try given(isOfTexts ? .text : .image)
  }

  /// Images and captions by a trusted checkpoint, of parts that have both.
  ///
  /// - Throws: `invalidArgument` for parts that do not say which they are, or lack one of them.
  package func trustedHalves() throws(CLIPError) -> (images: GivenFeatures, texts: GivenFeatures) {
    if let part = parts.first(where: { !$0.isNamed }) {
      throw CLIPError(
        .invalidArgument,
        "'\(part.path)': is one array; expected features of images and of captions: safetensors files "
          + "with image_features and text_features, or files of each")
    }
    return (try given(.image), try given(.text))
  }

  private func given(_ half: FeaturePart.Half) throws(CLIPError) -> GivenFeatures {
    let arrays = try parts.map { (part) throws(CLIPError) in
      guard let array = part.features(half) else {
        throw CLIPError(
          .invalidArgument,
          "'\(part.path)': lacks \(half.rawValue); expected them in every part, got "
            + FeaturePart.Half.allCases.filter { part.features($0) != nil }.map(\.rawValue)
            .joined(separator: ", "))
      }
      return array
    }
    let rows = FeatureRows(joining: arrays)
    guard rows.count <= Int(Int32.max) else {
      throw CLIPError(
        .unsupported, "features: too many rows; expected at most \(Int32.max), got \(rows.count)")
    }
    let keys = parts.reduce(into: [] as [String]) { $0 += $1.keys ?? [] }
    let captions = parts.reduce(into: [] as [String]) { $0 += $1.captions ?? [] }
    var starts: [(path: String, start: Int)] = []
    var start = 0
    for part in parts {
      starts.append((part.path, start))
      start += part.count
    }
    return GivenFeatures(
      rows, keys: parts[0].keys == nil ? nil : FeatureKeys(keys, parts: starts),
      captions: parts[0].captions == nil ? nil : captions)
  }

  /// The files that arguments name, and the lists of keys beside arrays, which need not be there.
  package static func files(_ specification: [String]) -> [String] {
    specification.flatMap { argument in
      NamedFiles.paths(argument).flatMap { path in
        ((try? files(path)) ?? [path]).flatMap { [$0, FeaturePart.keyList(of: $0)] }
      }
    }
  }

  /// The files that a path stands for.
  private static func files(_ path: String) throws(CLIPError) -> [String] {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return [path] }
    let files = try FolderWalk(FilePath(path)).files.map(\.text)
      .filter { $0.hasSuffix(".npy") || $0.hasSuffix(".safetensors") }
    guard !files.isEmpty else {
      throw CLIPError(
        .notFound,
        "'\(path)': folder has no features; expected .npy or .safetensors files, got none")
    }
    return files.map { path.hasSuffix("/") ? path + $0 : path + "/" + $0 }
  }

  /// Checks that a part goes with the first one.
  private static func check(_ part: FeaturePart, like first: FeaturePart) throws(CLIPError) {
    func refuse(
      _ what: String, _ expected: String, _ got: String, remedy: String = "make all parts alike"
    ) throws(CLIPError) {
      guard expected != got else { return }
      throw CLIPError(
        .invalidArgument,
        "'\(part.path)': parts disagree; expected \(what) \(expected) as in '\(first.path)', got \(got); "
          + remedy)
    }
    try refuse("a", first.kind, part.kind, remedy: "give files of one kind")
    func text(_ array: StoredArray?) -> String {
      array.map { "\($0.type.rawValue) [n, \($0.shape[1])]" } ?? "none"
    }
    for half in FeaturePart.Half.allCases {
      try refuse(half.rawValue, text(first.features(half)), text(part.features(half)))
    }
    func presence(_ texts: [String]?) -> String { texts == nil ? "none" : "one a row" }
    try refuse(
      "keys", presence(first.keys), presence(part.keys),
      remedy: "give keys to all parts or to none"
        + (part.isNamed ? "" : "; those of name.npy are the lines of name.txt beside it"))
    try refuse("captions", presence(first.captions), presence(part.captions))
    try refuse("model", first.model ?? "unknown", part.model ?? "unknown")
    func length(_ isNormalized: Bool?) -> String {
      isNormalized.map { $0 ? "L2-normalized" : "unnormalized" } ?? "of unknown length"
    }
    try refuse("features", length(first.isNormalized), length(part.isNormalized))
  }
}
