/// Measures how well captions find their images, and images their captions.
///
/// Rows of a dataset with the same key, such as the path of an image in a table, are captions of one
/// image.
package struct RetrievalEvaluator {
  private var encoder: FeatureEncoder
  private let tokenizer: Tokenizer
  /// Rows that may be unreadable before the evaluation gives up.
  package var skipLimit = 100

  /// - Parameter encoder: of the model; its features are L2-normalized whatever it says.
  /// - Throws: `state` when the model lacks a tower; `invalidArgument` for options out of range or a
  ///   tokenizer of a larger vocabulary than the model's.
  package init(_ encoder: FeatureEncoder, tokenizer: Tokenizer) throws(CLIPError) {
    try encoder.validate()
    _ = try encoder.imageSize()
    try encoder.check(tokenizer)
    self.encoder = encoder
    self.encoder.normalize = true
    self.tokenizer = tokenizer
  }

  /// Images, their captions, and rows that were left out.
  private struct Pairs {
    var captions: [String] = []
    var imageOfText: [Int] = []
    var imageOfKey: [String: Int] = [:]
    var features: [Float] = []
    var skipped = 0
    var skippedReasons: [String] = []
  }

  /// Ranks all captions for each image, and all images for each caption.
  ///
  /// - Parameter progress: called with the number of rows done; `false` ends the evaluation.
  /// - Throws: `format` when too many rows cannot be read or none can; `cancelled`; `state` when
  ///   features are not numbers.
  /// - Complexity: memory for the features of all images and captions.
  package func evaluate(
    _ dataset: PairDataset, progress: (Int) -> Bool = { _ in true }
  ) throws(CLIPError) -> RetrievalResult {
    var pairs = Pairs()
    for start in stride(from: 0, to: dataset.count, by: encoder.batchSize) {
      let range = start..<min(dataset.count, start + encoder.batchSize)
      try read(dataset, range, into: &pairs)
      guard progress(range.upperBound) else {
        throw CLIPError(
          .cancelled, "retrieval: cancelled after \(range.upperBound) of \(dataset.count) rows")
      }
    }
    guard !pairs.captions.isEmpty else {
      throw CLIPError(
        .format,
        "retrieval: no pair to rank; expected at least one, got \(dataset.count) rows, "
          + "\(pairs.skipped) of them unreadable"
          + (pairs.skippedReasons.first.map { " (\($0))" } ?? ""))
    }
    let width = encoder.embedDim
    let texts = try Tensor([pairs.captions.count, width])
    try encoder.texts(pairs.captions, tokenizer: tokenizer, into: texts.f32)
    let images = try Tensor(pairs.features, [pairs.features.count / width, width])
    return RetrievalResult(
      recall: try Retrieval(
        imageFeatures: images, textFeatures: texts, imageOfText: pairs.imageOfText),
      images: images.shape[0], captions: texts.shape[0], skipped: pairs.skipped,
      skippedReasons: pairs.skippedReasons)
  }

  private func read(
    _ dataset: PairDataset, _ range: Range<Int>, into pairs: inout Pairs
  ) throws(CLIPError) {
    var fresh: [RGBImage] = []
    for index in range {
      do throws(CLIPError) {
        let row = try dataset.row(at: index)
        guard !row.caption.isEmpty else {
          throw CLIPError(.format, "'\(row.key)': has no caption; expected text, got none")
        }
        if let known = pairs.imageOfKey[row.key] {
          pairs.imageOfText.append(known)
        } else {
          let image = try row.decoded().image
          let number = pairs.imageOfKey.count
          pairs.imageOfKey[row.key] = number
          pairs.imageOfText.append(number)
          fresh.append(image)
        }
        pairs.captions.append(row.caption)
      } catch {
        try skip(error, &pairs)
      }
    }
    let features = try Tensor([fresh.count, encoder.embedDim])
    try encoder.images(count: fresh.count, into: features.f32) { index in fresh[index] }
    pairs.features += UnsafeBufferPointer(start: features.f32, count: features.count)
  }

  private func skip(_ error: CLIPError, _ pairs: inout Pairs) throws(CLIPError) {
    // Broken rows are the dataset's fault; anything else is not.
    guard [.format, .io, .notFound, .unsupported].contains(error.code) else { throw error }
    pairs.skipped += 1
    if pairs.skippedReasons.count < 10 { pairs.skippedReasons.append(error.message) }
    guard pairs.skipped <= skipLimit else {
      throw CLIPError(
        .format,
        "retrieval: too many rows cannot be read; expected at most \(skipLimit), the first one: "
          + (pairs.skippedReasons.first ?? error.message))
    }
  }
}

/// Recall of images and captions with what it was counted on.
package struct RetrievalResult: Sendable {
  package let recall: Retrieval
  package let images: Int
  package let captions: Int
  /// Rows that were left out, with the reasons of the first ones.
  package let skipped: Int
  package let skippedReasons: [String]

  /// The result for machines: `image_to_text` and `text_to_image` with `recall_at_1` …, 0…1.
  package var json: JSONValue {
    [
      "image_to_text": Self.values(recall.imageToText),
      "text_to_image": Self.values(recall.textToImage),
      "images": .integer(images), "captions": .integer(captions),
      "skipped_pairs": .integer(skipped),
    ]
  }

  private static func values(_ places: [EvaluationResult.Place]) -> JSONValue {
    var object = JSONObject()
    for place in places { object["recall_at_\(place.place)"] = .number(place.rate.value) }
    return .object(object)
  }
}
