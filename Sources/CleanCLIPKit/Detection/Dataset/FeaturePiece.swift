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
  /// What each pair's image looks like; empty where images are not decoded.
  var descriptors: [ImageDescriptor] = []
  /// The content of each pair's image.
  var images: [ImageIdentity] = []
  /// A fingerprint of what each row of the piece holds; 0 for those without any content.
  var contents: [UInt64] = []
  var skipped = 0
  var skippedReasons: [String] = []

  /// Reads keys and captions of the rows, and compares every row with what it held.
  ///
  /// - Parameter range: the rows of the piece, readable or not.
  /// - Throws: `state` for a row that has changed; what is wrong with a row that could be read before.
  mutating func readNames(_ dataset: PairDataset, _ range: Range<Int>) throws(CLIPError) {
    let used = Set(rows)
    for (index, content) in zip(range, contents) {
      var row: CaptionedImage?
      do throws(CLIPError) { row = try dataset.row(at: index) } catch {
        if content != 0 { throw error }
      }
      guard row?.fingerprint ?? 0 == content else {
        throw CLIPError(
          .state,
          "'\(dataset.key(at: index))': has changed since the check began; expected the image, "
            + "caption and label that row \(index) had, got others; start without resume",
          savedState: .foreign)
      }
      guard let row, used.contains(index) else { continue }
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
