/// How the rows of a packed `[N, D]` tensor divide into sequences: captions of different lengths
/// without padding, or the equal token counts of images.
package struct Sequences: Equatable, Sendable {
  /// `count + 1` ascending row numbers; sequence `i` is rows `offsets[i] ..< offsets[i + 1]`.
  package let offsets: [Int32]

  /// Makes the layout of sequences with these lengths, each at least 1.
  package init(lengths: [Int]) {
    var offsets: [Int32] = [0]
    offsets.reserveCapacity(lengths.count + 1)
    var end: Int32 = 0
    for length in lengths {
      precondition(length > 0, "sequences are not empty")
      end += Int32(length)
      offsets.append(end)
    }
    self.offsets = offsets
  }

  /// Makes the layout of `count` sequences of `length` rows.
  package init(count: Int, length: Int) {
    self.init(lengths: Array(repeating: length, count: count))
  }

  /// The number of sequences.
  package var count: Int { offsets.count - 1 }
  /// The number of rows.
  package var rows: Int { Int(offsets[offsets.count - 1]) }
  /// The longest sequence.
  package var longest: Int { (0..<count).map(length).max() ?? 0 }

  package func length(_ index: Int) -> Int { Int(offsets[index + 1] - offsets[index]) }
}

/// Captions as token ids, packed: each caption is its ids from start to end-of-text, without what
/// follows. The text tower is causal and pools at the end-of-text token, so this is exact.
package struct TokenBatch: Sendable {
  /// `[N]` token ids, the captions one after another.
  package let ids: [Int32]
  package let sequences: Sequences

  package init(_ captions: [[Int32]]) {
    self.ids = captions.flatMap { $0 }
    self.sequences = Sequences(lengths: captions.map(\.count))
  }

  package var count: Int { sequences.count }
}
