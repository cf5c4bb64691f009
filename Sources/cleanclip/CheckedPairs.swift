internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// The pairs of a dataset check: files, arrays of features, or both.
struct CheckedPairs: ParsableArguments {
  @Option(
    name: .long, parsing: .upToNextOption,
    help: """
      csv or tsv files, WebDataset tar shards, folders, or patterns such as 'finetune-*.tar'.
      """)
  var data: [String] = []

  @Option(name: .long, help: "The column of csv files with the path of the image.")
  var imageColumn = DatasetColumns().image

  @Option(name: .long, help: "The column of csv files with the caption.")
  var captionColumn = DatasetColumns().caption

  @Option(
    name: .long,
    help: "A list of rows as check data --cleaned writes it; the others are left out.")
  var keep: String?

  @Option(
    name: .long, parsing: .upToNextOption,
    help: """
      Features of the images by MODEL, unnormalized: NumPy arrays [n, E] or safetensors files, parts \
      of any number as patterns or folders. Keys in the parts put rows in the order of --data or \
      --keys.
      """)
  var imageFeatures: [String] = []

  @Option(
    name: .long, parsing: .upToNextOption,
    help: """
      Features of images and of captions by a trusted checkpoint, a file, pattern or folder for \
      each; or one for safetensors files with both.
      """)
  var trustedFeatures: [String] = []

  @Option(
    name: .long,
    help: """
      Memory that the check may use, 1 to 1000000000000000 bytes, such as 8G; none by default: no limit.
      """)
  var memoryBudget: ByteCount?

  @Option(name: .long, help: "A file with the name of a pair on each line, instead of --data.")
  var keys: String?

  @Option(name: .long, help: "A file with the caption of a pair on each line, instead of --data.")
  var captions: String?

  /// What the pairs are called in a report.
  var name: String {
    (data.isEmpty ? imageFeatures + trustedFeatures : data).joined(
      separator: ", ")
  }

  /// The files that are given, with those of keys beside features, which would be read if they were there.
  var files: [String] {
    data + FeatureParts.files(imageFeatures + trustedFeatures)
      + [keep, keys, captions].compactMap(\.self)
  }

  /// - Parameters:
  ///   - model: the checkpoint that the images' features are of.
  ///   - trusted: another one.
  ///   - patches: whether patches are looked for.
  func validate(model: String?, trusted: String?, patches: Bool) throws {
    guard model == nil || imageFeatures.isEmpty else {
      throw ValidationError(
        "MODEL has no effect with --image-features, which are taken for its features; give one of them"
      )
    }
    guard trusted == nil || trustedFeatures.isEmpty else {
      throw ValidationError(
        "--trusted has no effect with --trusted-features, which are taken for its features; give one of them"
      )
    }
    if model == nil, trusted == nil {
      try GivenOptions.refuse(
        ["--precision"], "without MODEL and --trusted, which compute features")
    }
    if model == nil { try GivenOptions.refuse(["--preprocessing"], "without MODEL") }
    if data.isEmpty {
      try GivenOptions.refuse(
        ["--keep", "--image-column", "--caption-column"], "without --data, whose rows they are of")
    }
    guard trustedFeatures.count <= 2 else {
      throw ValidationError(
        "--trusted-features are of images and of captions, a file, pattern or folder for each; expected "
          + "at most 2, got \(trustedFeatures.count)")
    }
    guard data.isEmpty else {
      guard keys == nil, captions == nil else {
        throw ValidationError("--keys and --captions stand in for --data; give one of them")
      }
      guard model != nil || trusted != nil || !imageFeatures.isEmpty || !trustedFeatures.isEmpty
      else {
        throw ValidationError("there is nothing to judge --data by; give MODEL or features")
      }
      return
    }
    guard !imageFeatures.isEmpty || !trustedFeatures.isEmpty else {
      throw ValidationError("--data is missing; give files of pairs, or --image-features of them")
    }
    guard model == nil, trusted == nil, !patches else {
      throw ValidationError("MODEL, --trusted and --patches need --data")
    }
  }

  /// Opens the files; `nil` without any.
  ///
  /// - Parameter outputs: what will be written.
  func open(writing outputs: [String?]) throws(CLIPError) -> PairDataset? {
    guard !data.isEmpty else { return nil }
    return try PairDataset.reporting(
      data, columns: DatasetColumns(image: imageColumn, caption: captionColumn), keep: keep,
      writing: outputs, wantsCaptions: true)
  }

  /// Reads the pairs' features that were computed before.
  ///
  /// - Parameter known: what the files gave; without files, `nil`.
  func adding(to known: DatasetFeatures?) throws(CLIPError) -> DatasetFeatures {
    let imageFeatures =
      self.imageFeatures.isEmpty ? nil : try FeatureParts(self.imageFeatures).imageFeatures()
    let trusted = try openTrusted()
    var result: DatasetFeatures
    if let known {
      result = known
    } else {
      guard let given = imageFeatures ?? trusted?.images else {
        throw CLIPError(
          .invalidArgument, "check data: there are no features; expected files, got none")
      }
      result = try DatasetFeatures(
        given,
        keys: try keys.map { (path) throws(CLIPError) in try TextList.rows(path: path) },
        captions: try captions.map { (path) throws(CLIPError) in try TextList.rows(path: path) })
    }
    try result.take(imageFeatures: imageFeatures, trusted: trusted)
    return result
  }

  private func openTrusted() throws(CLIPError) -> (images: GivenFeatures, texts: GivenFeatures)? {
    guard let first = trustedFeatures.first else { return nil }
    guard trustedFeatures.count == 2 else { return try FeatureParts([first]).trustedHalves() }
    return (
      try FeatureParts([first]).trusted(ofTexts: false),
      try FeatureParts([trustedFeatures[1]]).trusted(ofTexts: true)
    )
  }
}
