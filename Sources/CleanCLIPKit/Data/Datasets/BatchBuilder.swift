/// One batch in the making.
///
/// Threads fill different rows at the same time; the one that fills the last completes the batch.
final class BatchBuilder: @unchecked Sendable {
  // Sendable: each row's part of `slots` and `pixels` is written by one thread, and read after all
  // rows were counted as finished under the stream's lock.
  let number: Int
  private let loader: PairLoader
  private let epoch: Int
  private let rows: [Int]
  private let batchRows: [Int]
  /// `[V B, 3, S, S]`.
  private let pixels: Tensor
  private let slots: UnsafeMutableBufferPointer<Slot>
  private var unfinished: Int

  /// What a row has become; its pixels are in the tensor.
  private struct Slot {
    var row = 0
    var isFilled = false
    var key = ""
    var content: RowContent?
    var tokens: [Int32] = []
    var augmentedTokens: [Int32] = []
    var label: Int32 = 0
  }

  /// - Parameters:
  ///   - rows: of this rank's part.
  ///   - batchRows: of the whole batch.
  /// - Throws: `outOfMemory`.
  init(
    _ loader: PairLoader, epoch: Int, number: Int, rows: [Int], batchRows: [Int]
  ) throws(CLIPError) {
    self.loader = loader
    self.epoch = epoch
    self.number = number
    self.rows = rows
    self.batchRows = batchRows
    unfinished = rows.count
    let side = loader.preprocessor.imageSize
    let views = loader.options.augments ? 2 : 1
    pixels = try Tensor([views * rows.count, 3, side, side])
    slots = .allocate(capacity: rows.count)
    slots.initialize(repeating: Slot())
  }

  deinit {
    slots.deinitialize()
    slots.deallocate()
  }

  /// Counts a row as finished; returns whether it was the last. Called with the stream's lock held.
  func finishRow() -> Bool {
    unfinished -= 1
    return unfinished == 0
  }

  /// Reads the row of a place in the batch; a bad one is counted and leaves the place empty.
  ///
  /// - Throws: `format` when there are too many bad rows.
  func fill(_ place: Int) throws(CLIPError) {
    try fill(place, from: rows[place])
  }

  private func fill(_ place: Int, from row: Int) throws(CLIPError) {
    guard loader.knownProblem(of: row) == nil else { return }
    do throws(CLIPError) {
      try read(row, into: place)
    } catch {
      // Memory that runs out is no fault of the row.
      if error.code == .outOfMemory || error.code == .cancelled { throw error }
      try loader.add(badRow: row, reason: error.message)
    }
  }

  /// Replaces bad rows and returns the batch.
  ///
  /// - Throws: `format` when no good row is left to take the place of a bad one.
  func complete() throws(CLIPError) -> TrainingBatch {
    var used = Set(batchRows)
    var random = loader.random(.replacement, epoch: epoch, item: number)
    for place in rows.indices where !slots[place].isFilled {
      try replace(place, notOneOf: &used, using: &random)
    }
    let options = loader.options
    let captions =
      options.usesCaptions
      ? slots.map(\.tokens) + (options.augments ? slots.map(\.augmentedTokens) : []) : []
    return TrainingBatch(
      pixels: pixels, tokens: TokenBatch(captions), views: options.augments ? 2 : 1,
      labels: options.usesLabels ? slots.map(\.label) : nil, keys: slots.map(\.key),
      contents: slots.compactMap(\.content))
  }

  private func replace(
    _ place: Int, notOneOf used: inout Set<Int>, using random: inout RandomNumbers
  ) throws(CLIPError) {
    let count = loader.dataset.count
    // Drawn by chance, then in order, so that the last good row is found as well.
    let start = random.integer(below: count)
    for step in 0..<count {
      let row = (start + step) % count
      // Ranks take theirs from different rows, so that none comes twice.
      guard loader.options.shard.contains(replacement: row) else { continue }
      guard used.insert(row).inserted else { continue }
      try fill(place, from: row)
      if slots[place].isFilled { return }
    }
    throw CLIPError(
      .format,
      "data: no row is left for '\(loader.dataset.key(at: rows[place]))', which cannot be used; "
        + "expected \(rows.count) good rows of \(count), got \(loader.badRowCount) bad ones; use a "
        + "smaller batch")
  }

  private func read(_ row: Int, into place: Int) throws(CLIPError) {
    let source = try loader.dataset.row(at: row)
    var slot = Slot(
      row: row, isFilled: true, key: source.key, content: RowContent(row: row, source))
    if loader.options.usesCaptions { try encode(source, into: &slot) }
    if loader.options.usesLabels {
      guard let label = source.label else {
        throw CLIPError(.format, "'\(source.key)': has no label; expected a class index, got none")
      }
      slot.label = try loader.dataset.classIndex(of: label, key: source.key)
    }
    let decoded = try source.decoded()
    loader.add(notes: decoded.notes, of: row)
    let preprocessor = loader.preprocessor
    let stride = pixels.shape.dimensions.dropFirst().reduce(1, *)
    let output = pixels.f32
    let image = preprocessor.resizedAndCropped(decoded.image)
    preprocessor.write(image, into: output + place * stride)
    if loader.options.augments {
      // At the model's size, so that what a rotation or a sharpening does to an image does not
      // depend on the resolution of its file.
      var random = loader.random(.image, epoch: epoch, item: row)
      preprocessor.write(
        AutoAugment.apply(image, using: &random), into: output + (rows.count + place) * stride)
    }
    slots[place] = slot
  }

  private func encode(_ source: CaptionedImage, into slot: inout Slot) throws(CLIPError) {
    guard let tokenizer = loader.tokenizer, !source.caption.allSatisfy(\.isWhitespace) else {
      throw CLIPError(.format, "'\(source.key)': caption is empty; expected text, got none")
    }
    slot.tokens = tokenizer.encode(source.caption, contextLength: loader.contextLength)
    guard loader.options.augments else { return }
    var random = loader.random(.caption, epoch: epoch, item: slot.row)
    let augmented = loader.augmenter.augment(source.caption, using: &random)
    slot.augmentedTokens = tokenizer.encode(augmented, contextLength: loader.contextLength)
  }
}
