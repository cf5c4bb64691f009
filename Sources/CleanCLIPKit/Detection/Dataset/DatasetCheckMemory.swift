/// The memory that a check of a dataset takes, calculated before it begins.
struct DatasetCheckMemory {
  /// Names, captions and statistics of all pairs.
  let tableBytes: Int
  /// Features that are in memory, reference sets, and a block of features with its neighbours.
  let featureBytes: Int

  /// The program itself and its threads.
  private static let programBytes = 64 << 20
  /// Bytes of statistics of a pair: its score, its ranks, sums of each scale, and what its image looks like.
  private static let bytesPerPair = 344
  /// Bytes of lists and of the index of words for a caption, beside its own text.
  private static let bytesPerCaption = 360
  /// The index has a caption and its words in lower case.
  private static let copiesOfCaption = 4

  init(
    keys: [String], captions: [String]?, features: FeatureRows?, options: DatasetCheckOptions
  ) {
    func bytes(_ texts: [String]) -> Int { texts.reduce(0) { $0 + 48 + $1.utf8.count } }
    tableBytes =
      keys.count * Self.bytesPerPair + bytes(keys)
      + (captions.map { $0.count * Self.bytesPerCaption + Self.copiesOfCaption * bytes($0) } ?? 0)
    guard let features, let plan = try? ReferencePlan(options, count: features.count) else {
      featureBytes = 0
      return
    }
    let row = features.width * MemoryLayout<Float>.stride
    // Sets hold their points twice, as they are and centred; every set has a number for each pair.
    let sets = plan.references * 2 * row + plan.scales.reduce(0) { $0 + 4 * $1.draws * plan.count }
    let block = FeatureRows.block * (2 * row + 16 * (options.neighbours.max() ?? 0))
    featureBytes = features.residentBytes + sets + block
  }

  var bytes: Int { Self.programBytes + tableBytes + featureBytes }

  /// - Throws: `invalidArgument` when there is less.
  func check(budget: Int?) throws(CLIPError) {
    guard let budget, budget < bytes else { return }
    func mebibytes(_ bytes: Int) -> Int { (bytes + (1 << 20) - 1) >> 20 }
    throw CLIPError(
      .invalidArgument,
      "options: memory_budget is too small; expected at least \(bytes) bytes (\(mebibytes(bytes))M: "
        + "\(mebibytes(tableBytes))M for names, captions and statistics, \(mebibytes(featureBytes))M for "
        + "features), got \(budget); give features as files, which are read in blocks, or fewer pairs"
    )
  }
}
