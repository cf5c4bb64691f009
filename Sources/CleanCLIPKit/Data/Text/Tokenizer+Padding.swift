extension Tokenizer {
  /// Writes the ids of captions as rows of equal length, padded with zeros.
  ///
  /// - Parameters:
  ///   - contextLength: L, at least 1.
  ///   - ids: `[texts, L]`, written.
  package func encode(
    _ texts: [String], contextLength: Int, into ids: UnsafeMutablePointer<Int32>
  ) {
    ids.initialize(repeating: 0, count: texts.count * contextLength)
    for (row, text) in texts.enumerated() {
      for (column, id) in encode(text, contextLength: contextLength).enumerated() {
        ids[row * contextLength + column] = id
      }
    }
  }
}
