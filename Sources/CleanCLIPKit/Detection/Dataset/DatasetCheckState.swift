/// The pairs of a dataset that were read and embedded, kept in a folder so that a check that was
/// stopped resumes without them.
///
/// Each piece is a file of its own, written at once, in order. What is computed from the pieces is
/// the same whether they were read or kept, so that a resumed check gives the same result bit by bit.
struct DatasetCheckState {
  private static let kind = SavedStateKind(
    format: "cleanclip dataset state 4", work: "check", name: "the state of a dataset check",
    inputs: "models and data")

  private let pieces: StatePieces
  private let identity: WorkIdentity

  /// - Parameters:
  ///   - directory: where the pieces are.
  ///   - resume: whether to resume from what is there; otherwise it is removed.
  ///   - identity: what must agree for a piece to belong to this check.
  /// - Throws: `io`.
  init(directory: String, resume: Bool, identity: WorkIdentity) throws(CLIPError) {
    self.identity = identity
    pieces = try StatePieces(directory, named: StateFolder.pairFiles, resume: resume)
  }

  private func number(_ range: Range<Int>) -> Int { range.lowerBound / FeaturePiece.length }

  /// Keeps a piece.
  ///
  /// - Parameter range: its rows of the dataset.
  /// - Throws: `io`.
  func record(_ piece: FeaturePiece, _ range: Range<Int>) throws(CLIPError) {
    var metadata = ["range": "\(range)"]
    metadata["skipped"] = "\(piece.skipped)"
    metadata["skipped_reasons"] = JSONValue.array(piece.skippedReasons.map { .string($0) })
      .serialized()
    var tensors = [
      ("rows", try Tensor(piece.rows.map { Int32($0 - range.lowerBound) }, [piece.rows.count]))
    ]
    tensors.append(
      ("image_hashes", try Tensor(piece.images.flatMap(\.words), [piece.images.count, 4])))
    tensors.append(("row_contents", try Tensor(words: piece.contents)))
    if !piece.descriptors.isEmpty {
      tensors.append(
        ("image_descriptors", try Tensor(words: piece.descriptors.map(\.bits))))
    }
    if let features = piece.imageFeatures { tensors.append(("image_features", features)) }
    if !piece.trustedCosines.isEmpty {
      tensors.append(
        ("trusted_cosines", try Tensor(piece.trustedCosines, [piece.trustedCosines.count])))
    }
    if !piece.patchCodes.isEmpty {
      let counts = piece.patchCodes.map { Int32($0.count) }
      tensors.append(("patch_counts", try Tensor(counts, [counts.count])))
      tensors.append(("patch_codes", try Tensor(words: piece.patchCodes.flatMap { $0 })))
    }
    try Self.kind.write(tensors, metadata, identity: identity, to: pieces.path(number(range)))
  }

  /// Returns a piece that was kept, without keys and captions; `nil` when there is none.
  ///
  /// - Parameters:
  ///   - range: its rows of the dataset.
  ///   - embedDim: E of the checkpoint, `nil` without one.
  ///   - hasCosines: whether there is a trusted checkpoint.
  ///   - hasPatches: whether patches are counted.
  ///   - hasDescriptors: whether images are decoded.
  /// - Throws: `state` when it is of another check, naming what differs; `format` when it is damaged.
  func piece(
    _ range: Range<Int>, embedDim: Int?, hasCosines: Bool, hasPatches: Bool, hasDescriptors: Bool
  ) throws(CLIPError) -> FeaturePiece? {
    guard let path = pieces.existing(number(range)) else { return nil }
    let file = try Self.kind.read(path, identity: identity)
    let damaged = Self.kind.damaged(path, "others", expected: "the pairs of rows \(range)")
    guard file.metadata["range"] == "\(range)", file["rows"]?.type == .i32,
      let skipped = file.metadata["skipped"].flatMap({ Int($0) }), 0...range.count ~= skipped
    else { throw damaged }
    var piece = FeaturePiece()
    guard let contents = try file.tensor("row_contents").words, contents.count == range.count else {
      throw damaged
    }
    piece.contents = contents
    piece.rows = try file.tensor("rows").floats().map { range.lowerBound + Int($0) }
    piece.skipped = skipped
    piece.skippedReasons =
      try JSONValue.parse(file.metadata["skipped_reasons"] ?? "", name: path)
      .array?.compactMap(\.string) ?? []
    let count = piece.rows.count
    guard count + skipped == range.count, piece.rows.allSatisfy(range.contains) else {
      throw damaged
    }
    let hashes = try file.tensor("image_hashes")
    guard hashes.dtype == .i32, hashes.shape == [count, 4] else { throw damaged }
    piece.images = (0..<count).map { row in
      ImageIdentity(words: (0..<4).map { hashes.i32[4 * row + $0] })
    }
    if hasDescriptors && count > 0 {
      guard let words = try file.tensor("image_descriptors").words, words.count == count else {
        throw damaged
      }
      piece.descriptors = words.map { ImageDescriptor(bits: $0) }
    }
    if let embedDim {
      let features = try file.tensor("image_features")
      guard features.shape == [count, embedDim], features.dtype == .f32 else { throw damaged }
      piece.imageFeatures = features
    }
    if hasCosines && count > 0 {
      piece.trustedCosines = try file.tensor("trusted_cosines").floats()
      guard piece.trustedCosines.count == count else { throw damaged }
    }
    if hasPatches && count > 0 {
      piece.patchCodes = try Self.codes(file) ?? []
      guard piece.patchCodes.count == count else { throw damaged }
    }
    return piece
  }

  /// Reads the lists of codes; `nil` when their lengths do not add up.
  private static func codes(_ file: SafeTensorsFile) throws(CLIPError) -> [[UInt64]]? {
    let counts = try file.tensor("patch_counts")
    guard let words = try file.tensor("patch_codes").words, counts.dtype == .i32 else { return nil }
    var codes: [[UInt64]] = []
    var next = 0
    for row in 0..<counts.count {
      let count = Int(counts.i32[row])
      guard count >= 0, count <= words.count - next else { return nil }
      codes.append(Array(words[next..<next + count]))
      next += count
    }
    return next == words.count ? codes : nil
  }
}
