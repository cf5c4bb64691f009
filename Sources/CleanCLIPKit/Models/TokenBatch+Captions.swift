extension TokenBatch {
  /// Packs rows of padded ids, each cut after the token that stands for the caption.
  ///
  /// - Parameters:
  ///   - ids: `[rows, columns]`, row-major.
  ///   - endOfText: how the model finds that token; a row without it pools at its first token, as
  ///     the exported graphs do.
  package init(padded ids: [Int32], columns: Int, endOfText: EndOfText) {
    precondition(columns > 0 && ids.count % columns == 0, "ids are a matrix")
    var captions: [[Int32]] = []
    captions.reserveCapacity(ids.count / columns)
    for start in stride(from: 0, to: ids.count, by: columns) {
      let row = ids[start..<start + columns]
      captions.append(Array(row[...endOfText.position(in: row)]))
    }
    self.init(captions)
  }

  /// The captions of a range.
  package subscript(range: Range<Int>) -> TokenBatch {
    TokenBatch(range.map { self[$0] })
  }

  /// The ids of one caption.
  package subscript(index: Int) -> [Int32] {
    Array(ids[Int(sequences.offsets[index])..<Int(sequences.offsets[index + 1])])
  }
}

extension EndOfText {
  /// The index of the token whose feature stands for the caption; the first one when there is none.
  package func position(in row: ArraySlice<Int32>) -> Int {
    switch self {
    case .id(let id): return row.firstIndex(of: id) ?? row.startIndex
    case .highestID:
      // `max` of indices would return the last of equal ids; argmax returns the first.
      var best = row.startIndex
      for index in row.indices where row[index] > row[best] { best = index }
      return best
    }
  }
}
