internal import Glibc

/// Rows of features, of which some are in memory at a time where they come from files.
package struct FeatureRows: Sendable {
  private enum Source: Sendable {
    case memory(Tensor)
    /// Arrays `[n, E]`, one after another.
    case files([StoredArray])
  }

  private let source: Source
  /// The first row of each file, and the number of all rows.
  private let starts: [Int]
  /// The row of the source at each place; `nil` for the order of the source.
  private let order: [Int32]?
  /// N.
  package let count: Int
  /// E.
  package let width: Int

  /// Rows that are read at a time where all are gone through.
  static let block = 8192

  /// - Parameter features: `[N, E]`, unnormalized.
  /// - Throws: `shape` for anything else.
  package init(_ features: Tensor) throws(CLIPError) {
    guard features.shape.rank == 2, features.dtype == .f32, features.shape[1] > 0 else {
      throw CLIPError(
        .shape,
        "image features: has the wrong shape; expected single precision [count, width], "
          + "got \(features.shape)")
    }
    source = .memory(features)
    starts = [0, features.shape[0]]
    count = features.shape[0]
    width = features.shape[1]
    order = nil
  }

  /// - Parameter arrays: at least one; `[n, E]` of floating-point numbers with one E.
  init(joining arrays: [StoredArray]) {
    precondition(arrays.allSatisfy { $0.shape.rank == 2 && $0.type.isFloat }, "matrices of numbers")
    precondition(Set(arrays.map { $0.shape[1] }).count == 1, "rows of one width")
    source = .files(arrays)
    starts = arrays.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.shape[0]) }
    count = starts[starts.count - 1]
    width = arrays[0].shape[1]
    order = nil
  }

  private init(_ other: FeatureRows, order: [Int32]) {
    source = other.source
    starts = other.starts
    width = other.width
    self.order = order
    count = order.count
  }

  /// Returns some of the rows, in the order given.
  func ordered(_ rows: [Int32]) -> FeatureRows {
    FeatureRows(self, order: order.map { order in rows.map { order[Int($0)] } } ?? rows)
  }

  /// Bytes of memory that the rows take as long as they are there.
  var residentBytes: Int {
    let numbers =
      switch source {
      case .memory(let tensor): tensor.byteCount
      case .files: 0
      }
    return numbers + (order?.count ?? 0) * MemoryLayout<Int32>.stride
  }

  /// Reads consecutive rows.
  ///
  /// - Throws: `io`; `state` when a file has become shorter; `outOfMemory`.
  func read(_ range: Range<Int>) throws(CLIPError) -> Tensor {
    if case .memory(let tensor) = source, order == nil { return tensor.slice(range) }
    return try gather(Array(range))
  }

  /// Reads consecutive rows of numbers that can be computed with.
  ///
  /// - Parameter name: what the features are, for messages.
  /// - Throws: as `read`; `invalidArgument`, or `format` for files, naming the first row that cannot be computed
  ///   with, see `FeatureMatrix.validate`.
  func readUsable(_ range: Range<Int>, name: String) throws(CLIPError) -> Tensor {
    let block = try read(range)
    guard let (row, value) = FeatureMatrix.firstUnusable(block) else { return block }
    let number = order.map { Int($0[range.lowerBound + row]) } ?? range.lowerBound + row
    guard case .files(let files) = source else {
      throw FeatureMatrix.unusable("\(name): row \(number)", value, FeatureMatrix.removePair)
    }
    let file = self.file(of: number)
    throw FeatureMatrix.unusable(
      "'\(files[file].file.path)': row \(number - starts[file])", value, FeatureMatrix.removePair,
      code: .format)
  }

  /// Reads rows in any order.
  ///
  /// - Throws: as `read`.
  func gather(_ rows: [Int]) throws(CLIPError) -> Tensor {
    let rows = order.map { order in rows.map { Int(order[$0]) } } ?? rows
    switch source {
    case .memory(let tensor): return try FeatureMatrix.gather(tensor, rows)
    case .files(let files):
      let result = try Tensor([rows.count, width])
      var place = 0
      while place < rows.count {
        let file = self.file(of: rows[place])
        // Rows one after another in one file are read at once.
        var end = place + 1
        while end < rows.count, rows[end] == rows[end - 1] + 1, rows[end] < starts[file + 1] {
          end += 1
        }
        let first = rows[place] - starts[file]
        try files[file].read(
          first * width..<(first + end - place) * width, into: result.f32 + place * width)
        place = end
      }
      return result
    }
  }

  /// Checks that files are those that were opened.
  ///
  /// - Throws: `state`.
  func checkUnchanged() throws(CLIPError) {
    guard case .files(let files) = source else { return }
    for array in files { try array.file.checkUnchanged() }
  }

  /// The last file that starts at or before a row.
  private func file(of row: Int) -> Int {
    var low = 0
    var high = starts.count - 1
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= row { low = middle } else { high = middle }
    }
    return low
  }
}

/// What is known of features once all were gone through.
struct FeatureSurvey {
  /// Whether all rows are equal, so that no statistic of their distances means anything.
  private(set) var isConstant = true
  /// Whether all rows are of length 1.
  private(set) var isNormalized = true
  /// Tells these features from others.
  let fingerprint: String

  /// Goes through the rows, block by block.
  ///
  /// - Parameters:
  ///   - name: what the features are, for messages.
  ///   - body: called with the number of each row and its bytes.
  /// - Throws: as `FeatureRows.readUsable`.
  init(
    _ features: FeatureRows, name: String,
    _ body: (Int, UnsafeRawBufferPointer) -> Void = { _, _ in }
  ) throws(CLIPError) {
    var fingerprint = Fingerprint()
    let width = features.width * MemoryLayout<Float>.stride
    var first: Tensor?
    for start in stride(from: 0, to: features.count, by: FeatureRows.block) {
      try Polling.check()
      let block = try features.readUsable(
        start..<min(features.count, start + FeatureRows.block), name: name)
      fingerprint.add(UnsafeRawBufferPointer(start: block.bytes, count: block.byteCount))
      isNormalized = isNormalized && FeatureMatrix.isNormalized(block)
      let compared = first ?? block
      first = compared
      for row in 0..<block.shape[0] {
        let bytes = block.bytes + row * width
        isConstant = isConstant && memcmp(compared.bytes, bytes, width) == 0
        body(start + row, UnsafeRawBufferPointer(start: bytes, count: width))
      }
    }
    try features.checkUnchanged()
    self.fingerprint = fingerprint.text
  }
}
