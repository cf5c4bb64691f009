/// Some consecutive rows of a dataset, read and embedded.
struct FeaturePiece {
  /// Rows of a piece, readable or not; the last one has fewer.
  static let length = 512

  var keys: [String] = []
  var captions: [String] = []
  /// Rows of the dataset, for those pairs that could be read.
  var rows: [Int] = []
  /// `[n, E]`; `nil` without a checkpoint.
  var imageFeatures: Tensor?
  var trustedCosines: [Float] = []
  /// See `PatchConcentration`; empty unless patches are counted.
  var patchCodes: [[UInt64]] = []
  /// The content of each pair's image.
  var images: [ImageIdentity] = []
  var skipped = 0
  var skippedReasons: [String] = []

  /// Reads keys and captions of the rows.
  ///
  /// - Throws: what is wrong with a row that could be read before.
  mutating func readNames(_ dataset: PairDataset) throws(CLIPError) {
    for index in rows {
      let row = try dataset.row(at: index)
      keys.append(row.key)
      captions.append(row.caption)
    }
  }

  /// Counts a row that cannot be read.
  mutating func skip(_ error: CLIPError) {
    skipped += 1
    if skippedReasons.count < DatasetFeatures.reasonsKept { skippedReasons.append(error.message) }
  }
}
