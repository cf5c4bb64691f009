internal import Glibc

extension TrainingBatch {
  /// Returns the pairs of a range, all their views.
  func pairs(_ range: Range<Int>) throws(CLIPError) -> TrainingBatch {
    if range == 0..<count { return self }
    let pixels = try Tensor(
      Shape([views * range.count] + self.pixels.shape.dimensions.dropFirst()), .f32)
    var captions: [[Int32]] = []
    for view in 0..<views {
      let source = view * count + range.lowerBound..<view * count + range.upperBound
      let target = view * range.count..<(view + 1) * range.count
      let slice = self.pixels.slice(source)
      memcpy(pixels.slice(target).bytes, slice.bytes, slice.byteCount)
      if tokens.count > 0 { captions += source.map { tokens[$0] } }
    }
    return TrainingBatch(
      pixels: pixels, tokens: TokenBatch(captions), views: views,
      labels: labels.map { Array($0[range]) }, keys: Array(keys[range]),
      contents: contents.count == count ? Array(contents[range]) : [])
  }

  /// The rows of the pairs in their dataset.
  ///
  /// - Throws: `internal` for a batch that comes from no dataset.
  func rows(for recipe: String) throws(CLIPError) -> [Int] {
    guard contents.count == count else {
      throw CLIPError(
        .internal,
        "\(recipe): a batch does not say its rows; expected \(count), got \(contents.count)")
    }
    return contents.map(\.row)
  }

  /// Returns the pairs in one view, 0 for the originals.
  func view(_ view: Int) -> TrainingBatch {
    let rows = view * count..<(view + 1) * count
    return TrainingBatch(
      pixels: pixels.slice(rows),
      tokens: TokenBatch(tokens.count > 0 ? rows.map { tokens[$0] } : []), views: 1, labels: labels,
      keys: keys, contents: contents)
  }

  /// Ranges of at most `size` pairs that cover the batch.
  func chunks(of size: Int?) -> [Range<Int>] {
    let size = min(max(1, size ?? count), max(1, count))
    return stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
  }
}
