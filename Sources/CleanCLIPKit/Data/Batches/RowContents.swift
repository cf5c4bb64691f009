/// What the rows of a dataset hold, as far as they were read: a fingerprint for each, computed while
/// reading, so that a run that is resumed notices rows that have changed.
package struct RowContents: Equatable, Sendable {
  /// By row; 0 for those that were not read.
  private(set) var fingerprints: [UInt64] = []

  package init() {}

  init(fingerprints: [UInt64]) { self.fingerprints = fingerprints }

  /// Reads what `tensor()` returned; `nil` for another tensor.
  init?(_ tensor: Tensor) {
    guard let words = tensor.words else { return nil }
    fingerprints = words
  }

  /// The fingerprints as halves of 64 bits; `nil` for none.
  func tensor() throws(CLIPError) -> Tensor? {
    fingerprints.isEmpty ? nil : try Tensor(words: fingerprints)
  }

  /// Rows that were read, ascending.
  var rows: [Int] { fingerprints.indices.filter { fingerprints[$0] != 0 } }

  /// The fingerprint of a row; `nil` when it was not read.
  subscript(row: Int) -> UInt64? {
    fingerprints.indices.contains(row) && fingerprints[row] != 0 ? fingerprints[row] : nil
  }

  /// Keeps the content of a row.
  ///
  /// - Throws: `state` when the row was read before and held something else.
  mutating func add(_ content: RowContent) throws(CLIPError) {
    if let known = self[content.row], known != content.fingerprint {
      throw CLIPError(
        .state,
        "'\(content.key)': has changed since the run began; expected the image, caption and label "
          + "that row \(content.row) had, got others; start without resume",
        savedState: .foreign)
    }
    if content.row >= fingerprints.count {
      fingerprints += [UInt64](repeating: 0, count: content.row + 1 - fingerprints.count)
    }
    fingerprints[content.row] = content.fingerprint
  }
}

/// What one row of a dataset holds.
package struct RowContent: Equatable, Sendable {
  let row: Int
  /// What the row is called, for messages.
  let key: String
  /// Of image, caption and label; never 0.
  let fingerprint: UInt64

  package init(row: Int, key: String, fingerprint: UInt64) {
    self.row = row
    self.key = key
    self.fingerprint = fingerprint
  }
}
