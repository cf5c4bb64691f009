internal import Glibc

/// What a dataset check needs to know of every pair; see `DatasetReader`.
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

  private var patches = PatchConcentration()

  static let reasonsKept = 10

  /// - Parameters:
  ///   - capacity: pairs at most.
  ///   - embedDim: E of the checkpoint; `nil` without one.
  init(capacity: Int, embedDim: Int?, hasCosines: Bool) throws(CLIPError) {
    if let embedDim { imageFeatures = try Tensor([capacity, embedDim]) }
    if hasCosines { trustedCosines = [] }
  }

  /// Adds the next pairs of the dataset.
  mutating func append(_ piece: FeaturePiece) {
    if let features = piece.imageFeatures, let all = imageFeatures {
      memcpy(all.f32 + keys.count * all.shape[1], features.f32, features.byteCount)
    }
    keys += piece.keys
    captions += piece.captions
    rows += piece.rows
    trustedCosines?.append(contentsOf: piece.trustedCosines)
    for codes in piece.patchCodes { patches.add(codes) }
    skipped += piece.skipped
    skippedReasons += piece.skippedReasons.prefix(Self.reasonsKept - skippedReasons.count)
  }

  /// Ends the table after the last pair.
  ///
  /// - Throws: `invalidArgument` when no pair could be read.
  mutating func finish(countingPatches: Bool) throws(CLIPError) {
    guard !keys.isEmpty else {
      throw CLIPError(
        .invalidArgument,
        "check data: no pair can be read; expected pictures with captions, got "
          + (skippedReasons.first ?? "none"))
    }
    imageFeatures = imageFeatures?.slice(0..<keys.count)
    if countingPatches { patchPairs = patches.pairsByPicture() }
  }
}
