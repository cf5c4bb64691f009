internal import Glibc

/// What a dataset check needs to know of every pair, computed from the pictures in one pass.
package struct DatasetFeatures {
  package private(set) var keys: [String] = []
  package private(set) var captions: [String] = []
  /// Rows of the dataset, for those pairs that could be read.
  package private(set) var rows: [Int] = []
  /// `[N, E]` of the checkpoint, not normalised; `nil` without a checkpoint.
  package private(set) var imageFeatures: Tensor?
  /// Cosines by the trusted checkpoint; `nil` without one.
  package private(set) var trustedCosines: [Float]?
  package private(set) var patchPairs: [Int]?
  /// What could not be read: the number, and the first few reasons.
  package private(set) var skipped = 0
  package private(set) var skippedReasons: [String] = []

  private static let batch = 64

  /// Reads and embeds a dataset. Without anybody to look at them, pictures are not decoded.
  ///
  /// - Parameters:
  ///   - model: the checkpoint under suspicion; `nil` leaves its features out.
  ///   - trusted: another checkpoint with its tokenizer.
  ///   - findsPatches: whether to count recurring patches, which costs about as much as decoding.
  ///   - progress: called with the number of pairs read; `false` cancels.
  /// - Throws: `invalidArgument` when no pair can be read; what the towers throw; `cancelled`.
  package init(
    _ dataset: PairDataset, model: CLIPModel?, trusted: (model: CLIPModel, tokenizer: Tokenizer)?,
    findsPatches: Bool, precision: DType, progress: (Int) -> Bool
  ) throws(CLIPError) {
    var patches = PatchConcentration()
    var raw: [Float] = []
    var cosines: [Float] = []
    var pending: [(image: RGBImage, caption: String)] = []
    func flush() throws(CLIPError) {
      guard !pending.isEmpty else { return }
      if let model { raw += try Self.embed(pending.map(\.image), model, false, precision).floats() }
      if let trusted { cosines += try Self.cosines(pending, trusted, precision) }
      pending.removeAll(keepingCapacity: true)
    }
    let looks = model != nil || trusted != nil || findsPatches
    for index in 0..<dataset.count {
      do throws(CLIPError) {
        let row = try dataset.row(at: index)
        if looks {
          let image = try row.decoded().image
          if findsPatches { patches.add(image) }
          pending.append((image, row.caption))
        }
        keys.append(row.key)
        captions.append(row.caption)
        rows.append(index)
      } catch {
        skipped += 1
        if skippedReasons.count < 10 { skippedReasons.append(error.message) }
      }
      if (index + 1) % Self.batch == 0 {
        try flush()
        guard progress(index + 1) else {
          throw CLIPError(.cancelled, "check data: reading was cancelled at pair \(index + 1)")
        }
      }
    }
    try flush()
    guard !keys.isEmpty else {
      throw CLIPError(
        .invalidArgument,
        "check data: no pair can be read; expected pictures with captions, got "
          + (skippedReasons.first ?? "none"))
    }
    if let model {
      imageFeatures = try Tensor(raw, [keys.count, model.configuration.embedDim])
    }
    if trusted != nil { trustedCosines = cosines }
    if findsPatches { patchPairs = patches.pairsByPicture() }
  }

  /// Reads and embeds pictures alone.
  package static func pictures(
    _ dataset: PairDataset, model: CLIPModel, precision: DType,
    progress: (Int) -> Bool = { _ in true }
  ) throws(CLIPError) -> DatasetFeatures {
    try DatasetFeatures(
      dataset, model: model, trusted: nil, findsPatches: false, precision: precision,
      progress: progress)
  }

  private static func embed(
    _ images: [RGBImage], _ model: CLIPModel, _ normalize: Bool, _ precision: DType
  ) throws(CLIPError) -> Tensor {
    var encoder = FeatureEncoder(model)
    encoder.normalize = normalize
    encoder.precision = precision
    let features = try Tensor([images.count, encoder.embedDim])
    try encoder.images(count: images.count, into: features.f32) { images[$0] }
    return features
  }

  private static func cosines(
    _ pairs: [(image: RGBImage, caption: String)],
    _ trusted: (model: CLIPModel, tokenizer: Tokenizer),
    _ precision: DType
  ) throws(CLIPError) -> [Float] {
    let images = try embed(pairs.map(\.image), trusted.model, true, precision)
    let contextLength = try FeatureEncoder(trusted.model).textConfiguration().contextLength
    let tokens = TokenBatch(
      pairs.map { trusted.tokenizer.encode($0.caption, contextLength: contextLength) })
    let texts = try trusted.model.encodeTexts(tokens, normalize: true, precision: precision)
    let width = images.shape[1]
    return pairs.indices.map { row in
      (0..<width).reduce(Float(0)) {
        $0 + images.f32[row * width + $1] * texts.f32[row * width + $1]
      }
    }
  }
}
