/// Reads and embeds the pairs of a dataset in one pass. Without anybody to look at them, images are
/// not decoded.
package struct DatasetReader {
  /// The checkpoint under suspicion; `nil` leaves its features out.
  package var model: CLIPModel?
  /// Another checkpoint with its tokenizer.
  package var trusted: (model: CLIPModel, tokenizer: Tokenizer)?
  /// Whether to count recurring patches, which costs about as much as decoding.
  package var findsPatches = false
  /// Whether to L2-normalize the checkpoint's features; a check takes them as they are.
  package var normalize = false
  /// Element type of the computation.
  package var precision = DType.f32
  /// Where what was read is kept; `nil` keeps none.
  package var stateDirectory: String?
  /// Whether to resume from the state that is there.
  package var resume = false

  /// Images that are read and embedded at a time.
  package var batchSize = FeatureEncoder.defaultBatchSize
  /// What is read for, in messages.
  package var task = DatasetFeatures.check

  package init(model: CLIPModel? = nil) { self.model = model }

  /// Reads a dataset.
  ///
  /// - Parameter progress: called with the number of pairs read; `false` cancels. With a state
  ///   directory, whole pieces that were read are kept.
  /// - Throws: `invalidArgument` when no pair can be read; what the towers throw; `state` and `format`
  ///   for the state of another check, see `DatasetCheckState`; `cancelled`.
  package func read(
    _ dataset: PairDataset, progress: (Int) -> Bool = { _ in true }
  ) throws(CLIPError) -> DatasetFeatures {
    try CLIPError.checkResume(resume, from: stateDirectory)
    let embedDim = model?.configuration.embedDim
    let state = try stateDirectory.map { (directory) throws(CLIPError) in
      try DatasetCheckState(directory: directory, resume: resume, identity: identity(dataset))
    }
    var result = try DatasetFeatures(
      of: dataset, embedDim: embedDim, hasCosines: trusted != nil,
      hasDescriptors: decodes, task: task)
    for start in stride(from: 0, to: dataset.count, by: FeaturePiece.length) {
      let range = start..<min(dataset.count, start + FeaturePiece.length)
      var piece: FeaturePiece
      if let kept = try state?.piece(
        range, embedDim: embedDim, hasCosines: trusted != nil, hasPatches: findsPatches,
        hasDescriptors: decodes)
      {
        piece = kept
        try piece.readNames(dataset, range)
        try report(range.upperBound, progress)
      } else {
        piece = try read(range, of: dataset, progress: progress)
        try state?.record(piece, range)
      }
      result.append(piece)
    }
    try result.finish(countingPatches: findsPatches)
    return result
  }

  /// Whether there is anything to look at images.
  private var decodes: Bool { model != nil || trusted != nil || findsPatches }

  private func read(
    _ range: Range<Int>, of dataset: PairDataset, progress: (Int) -> Bool
  ) throws(CLIPError) -> FeaturePiece {
    var piece = FeaturePiece()
    var features: [Float] = []
    for start in stride(from: range.lowerBound, to: range.upperBound, by: batchSize) {
      let rows = start..<min(range.upperBound, start + batchSize)
      var pairs: [(image: RGBImage, caption: String)] = []
      for index in rows {
        do throws(CLIPError) {
          piece.contents.append(0)
          let row = try dataset.row(at: index)
          piece.contents[piece.contents.count - 1] = row.fingerprint
          if decodes {
            let image = try row.decoded().image
            piece.descriptors.append(ImageDescriptor(image))
            if findsPatches { piece.patchCodes.append(PatchConcentration.codes(of: image)) }
            pairs.append((image, row.caption))
          }
          piece.images.append(ImageIdentity(row.image))
          piece.rows.append(index)
          piece.keys.append(row.key)
          piece.captions.append(row.caption)
        } catch {
          piece.skip(error)
        }
      }
      if !pairs.isEmpty {
        if let model {
          features += try embed(pairs.map(\.image), model, normalize: normalize).floats()
        }
        if let trusted { piece.trustedCosines += try cosines(pairs, trusted) }
      }
      try report(rows.upperBound, progress)
    }
    if let model {
      piece.imageFeatures = try Tensor(
        features, [piece.rows.count, model.configuration.embedDim])
    }
    return piece
  }

  private func report(_ done: Int, _ progress: (Int) -> Bool) throws(CLIPError) {
    guard progress(done) else {
      throw CLIPError(.cancelled, "\(task): reading was cancelled at pair \(done)")
    }
  }

  private func embed(
    _ images: [RGBImage], _ model: CLIPModel, normalize: Bool
  ) throws(CLIPError) -> Tensor {
    var encoder = FeatureEncoder(model)
    encoder.normalize = normalize
    encoder.precision = precision
    let features = try Tensor([images.count, encoder.embedDim])
    try encoder.images(count: images.count, into: features.f32) { images[$0] }
    return features
  }

  private func cosines(
    _ pairs: [(image: RGBImage, caption: String)],
    _ trusted: (model: CLIPModel, tokenizer: Tokenizer)
  ) throws(CLIPError) -> [Float] {
    let images = try embed(pairs.map(\.image), trusted.model, normalize: true)
    let contextLength = try FeatureEncoder(trusted.model).textConfiguration().contextLength
    let tokens = TokenBatch(
      pairs.map { trusted.tokenizer.encode($0.caption, contextLength: contextLength) })
    let texts = try trusted.model.encodeTexts(tokens, normalize: true, precision: precision)
    return try FeatureMatrix.cosines(images, texts, name: "trusted")
  }

  /// What must agree for a state to belong to this reading.
  private func identity(_ dataset: PairDataset) -> WorkIdentity {
    func text(_ model: CLIPModel?) -> String {
      model.map { Fingerprint.text(of: $0.stateDict().map(\.tensor)) } ?? "none"
    }
    return WorkIdentity(
      options: ["patches": "\(findsPatches)", "precision": "\(precision)"],
      inputs: [
        "model": text(model), "trusted": text(trusted?.model), "data": dataset.identity,
      ])
  }
}
