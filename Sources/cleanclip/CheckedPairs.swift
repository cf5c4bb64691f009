internal import ArgumentParser
internal import CleanCLIPKit

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
    name: .long, help: "Features of the images by MODEL, not normalised, as a NumPy array [n, E]."
  )
  var imageFeatures: String?

  @Option(
    name: .long, parsing: .upToNextOption,
    help: "Features of images and of captions by a trusted checkpoint: two NumPy arrays [n, E].")
  var trustedFeatures: [String] = []

  @Option(name: .long, help: "A file with the name of a pair on each line, instead of --data.")
  var keys: String?

  @Option(name: .long, help: "A file with the caption of a pair on each line, instead of --data.")
  var captions: String?

  /// What the pairs are called in a report.
  var name: String {
    (data.isEmpty ? [imageFeatures].compactMap { $0 } + trustedFeatures : data).joined(
      separator: ", ")
  }

  /// The files that are given.
  var files: [String] {
    data + trustedFeatures + [imageFeatures, keep, keys, captions].compactMap(\.self)
  }

  /// - Parameters:
  ///   - needsData: whether something was asked for that images are needed for.
  ///   - hasSubject: whether a checkpoint was given.
  func validate(needsData: Bool, hasSubject: Bool) throws {
    guard trustedFeatures.isEmpty || trustedFeatures.count == 2 else {
      throw ValidationError(
        "--trusted-features are two files, of images and of captions; got \(trustedFeatures.count)"
      )
    }
    guard data.isEmpty else {
      guard keys == nil, captions == nil else {
        throw ValidationError("--keys and --captions stand in for --data; give one of them")
      }
      guard hasSubject || imageFeatures != nil || !trustedFeatures.isEmpty else {
        throw ValidationError("there is nothing to judge --data by; give MODEL or features")
      }
      return
    }
    guard imageFeatures != nil || !trustedFeatures.isEmpty else {
      throw ValidationError("--data is missing; give files of pairs, or --image-features of them")
    }
    guard !needsData else {
      throw ValidationError("MODEL, --trusted, --patches and --state-directory need --data")
    }
  }

  /// Opens the files; `nil` without any.
  func open() throws(CLIPError) -> PairDataset? {
    guard !data.isEmpty else { return nil }
    return try PairDataset.reporting(
      data, columns: DatasetColumns(image: imageColumn, caption: captionColumn), keep: keep)
  }

  /// Reads the pairs' features that were computed before.
  ///
  /// - Parameter known: what the files gave; without files, `nil`.
  func adding(to known: DatasetFeatures?) throws(CLIPError) -> DatasetFeatures {
    let imageFeatures = try self.imageFeatures.map { (path) throws(CLIPError) in
      try NumPyFile.read(path)
    }
    var trusted: (images: Tensor, texts: Tensor)?
    if trustedFeatures.count == 2 {
      trusted = (try NumPyFile.read(trustedFeatures[0]), try NumPyFile.read(trustedFeatures[1]))
    }
    var result: DatasetFeatures
    if let known {
      result = known
    } else {
      result = try named(rows: (imageFeatures ?? trusted?.images)?.shape.dimensions.first ?? 0)
    }
    try result.take(imageFeatures: imageFeatures, trusted: trusted)
    return result
  }

  private func named(rows: Int) throws(CLIPError) -> DatasetFeatures {
    var names = (0..<rows).map { "\($0)" }
    if let keys { names = try TextList.rows(path: keys) }
    var texts: [String]?
    if let captions { texts = try TextList.rows(path: captions) }
    return DatasetFeatures(keys: names, captions: texts)
  }
}
