/// Makes training batches of a dataset in background threads.
///
/// A batch depends on the seed, the epoch and its number alone: not on threads, nor on where loading
/// began. A row that cannot be read is replaced by one drawn from the rest of the dataset, and does
/// not come again in the same batch.
package final class PairLoader: Sendable {
  let dataset: PairDataset
  let tokenizer: Tokenizer?
  let preprocessor: ImagePreprocessor
  let augmenter: TextAugmenter
  let contextLength: Int
  package let options: PairLoaderOptions
  /// Called with bad rows once each, and with notes, on the thread that asks for batches.
  private let report: @Sendable (LoaderEvent) -> Void
  private let state = Locked(State())

  struct State {
    /// Reasons by row, of all epochs.
    var badRows: [Int: String] = [:]
    var omissions = Omissions()
    var notedRows: Set<Int> = []
    var events: [LoaderEvent] = []
    var waitingSeconds = 0.0
  }

  /// Makes a loader.
  ///
  /// - Parameters:
  ///   - tokenizer: needed for captions.
  ///   - contextLength: L, the most ids of a caption.
  /// - Throws: `invalidArgument` for options that cannot be, a batch larger than the dataset, or
  ///   captions or labels that are wanted and not there.
  package init(
    _ dataset: PairDataset, tokenizer: Tokenizer?, preprocessor: ImagePreprocessor,
    augmenter: TextAugmenter, contextLength: Int, options: PairLoaderOptions,
    report: @escaping @Sendable (LoaderEvent) -> Void = { _ in }
  ) throws(CLIPError) {
    self.dataset = dataset
    self.tokenizer = tokenizer
    self.preprocessor = preprocessor
    self.augmenter = augmenter
    self.contextLength = contextLength
    self.options = options
    self.report = report
    try validate()
  }

  private func validate() throws(CLIPError) {
    for (name, value, range) in [
      ("batch_size", options.batchSize, 1...1 << 20), ("workers", options.workers, 1...1024),
      ("queue length", options.queueLength, 1...1024),
    ] where !range.contains(value) {
      throw CLIPError(
        .invalidArgument,
        "data: \(name) is out of range; expected \(range.lowerBound) to \(range.upperBound), "
          + "got \(value)")
    }
    guard options.batchSize.isMultiple(of: options.shard.count) else {
      throw CLIPError(
        .invalidArgument,
        "data: batch_size cannot be divided among the ranks; expected a multiple of "
          + "\(options.shard.count), got \(options.batchSize)")
    }
    guard options.batchSize <= dataset.count else {
      throw CLIPError(
        .invalidArgument,
        "data: batch_size is larger than the dataset; expected at most \(dataset.count) rows, "
          + "got \(options.batchSize); use a smaller batch or more data")
    }
    if options.usesCaptions {
      guard dataset.hasCaptions else {
        throw CLIPError(
          .invalidArgument,
          "data: no captions; expected a caption column or .txt entries, got "
            + (dataset.columns.isEmpty
              ? "none"
              : "columns " + dataset.columns.prefix(20).map { "'\($0)'" }.joined(separator: ", ")
                + "; name the column in the options"))
      }
      guard tokenizer != nil, contextLength > 1 else {
        throw CLIPError(
          .invalidArgument,
          "data: captions without a tokenizer; expected one and a context of at least 2 tokens, "
            + "got \(contextLength)")
      }
    }
    guard dataset.hasLabels || !options.usesLabels else {
      throw CLIPError(
        .invalidArgument,
        "data: no labels; expected a label column, .cls entries or class folders, got none")
    }
  }

  /// Complete batches of an epoch; what is left over takes part in other epochs.
  package var batchesPerEpoch: Int { dataset.count / options.batchSize }

  /// Rows that could not be used so far.
  package var badRowCount: Int { state.withLock { $0.badRows.count } }

  /// What the dataset left out, and rows that could not be used so far.
  package var omissions: Omissions {
    var omissions = dataset.omissions
    omissions.add(state.withLock { $0.omissions })
    return omissions
  }

  /// Seconds that callers have waited for batches.
  package var waitingSeconds: Double { state.withLock { $0.waitingSeconds } }

  /// The loader as a trainer sees it.
  package var source: BatchSource {
    let views = options.augments ? "two views" : "one view"
    return BatchSource(
      pairs: dataset.count, batchesPerEpoch: batchesPerEpoch,
      identity: "\(dataset.identity), \(views), seed \(options.seed)",
      content: { (row) throws(CLIPError) in RowContent(row: row, try self.dataset.row(at: row)) }
    ) { (epoch, firstBatch) throws(CLIPError) in
      let stream = try self.open(epoch: epoch, firstBatch: firstBatch)
      return BatchStream { () throws(CLIPError) in try stream.next() }
    }
  }

  /// Starts threads that prepare the batches of an epoch, from one of them on.
  ///
  /// The threads end with the stream.
  /// - Throws: `invalidArgument` for a batch that the epoch does not have; `outOfMemory`.
  package func open(epoch: Int, firstBatch: Int = 0) throws(CLIPError) -> PairStream {
    guard epoch >= 0, (0...batchesPerEpoch).contains(firstBatch) else {
      throw CLIPError(
        .invalidArgument,
        "data: epoch \(epoch) has no batch \(firstBatch); expected 0 to \(batchesPerEpoch)")
    }
    return try PairStream(self, epoch: epoch, firstBatch: firstBatch)
  }

  /// The rows of an epoch, in order.
  func order(of epoch: Int) -> [Int] {
    guard options.shuffles else { return Array(0..<dataset.count) }
    var random = random(.order, epoch: epoch, item: 0)
    return random.permutation(dataset.count)
  }

  /// What random numbers are for; each purpose has a stream of its own.
  enum Purpose: UInt64 { case order = 1, image, caption, replacement }

  func random(_ purpose: Purpose, epoch: Int, item: Int) -> RandomNumbers {
    RandomNumbers(
      seed: options.seed, purpose.rawValue, UInt64(truncatingIfNeeded: epoch),
      UInt64(truncatingIfNeeded: item))
  }

  // MARK: Bad rows

  /// Why a row is known to be bad.
  func knownProblem(of row: Int) -> String? { state.withLock { $0.badRows[row] } }

  /// Counts a bad row.
  ///
  /// - Throws: `format` when there are too many.
  func add(badRow row: Int, reason: String) throws(CLIPError) {
    let limit = badRowLimit
    let count = state.withLock { state in
      if state.badRows.updateValue(reason, forKey: row) == nil {
        state.omissions.add(.unreadable, reason)
        state.events.append(.badRow(index: row, key: dataset.key(at: row), reason: reason))
      }
      return state.badRows.count
    }
    guard count <= limit else {
      throw CLIPError(
        .format,
        "data: too many rows cannot be used; expected at most \(limit) of \(dataset.count), got "
          + "\(count), the last because \(reason)")
    }
  }

  private var badRowLimit: Int { options.badRowLimit ?? max(10, dataset.count / 100) }

  /// Keeps what a reader must know of an image: that it hides another one, or was damaged.
  func add(notes: [DecodedImage.Note], of row: Int) {
    let notes = notes.filter { $0 != .transparent && $0 != .animated }
    guard !notes.isEmpty else { return }
    state.withLock { state in
      guard state.notedRows.insert(row).inserted else { return }
      let text = notes.map(\.description).joined(separator: "; ")
      state.events.append(.note(index: row, key: dataset.key(at: row), text: text))
    }
  }

  /// Reports what happened since the last call, on this thread.
  func reportEvents(waited seconds: Double) {
    let events = state.withLock { state in
      state.waitingSeconds += seconds
      defer { state.events = [] }
      return state.events
    }
    for event in events { report(event) }
  }
}
