/// Embeds captions with a word of the vocabulary behind their start.
struct CaptionEncoder {
  let model: CLIPModel
  let precision: DType
  /// L of the model.
  let contextLength: Int

  /// - Throws: `state` without a text tower.
  init(_ model: CLIPModel, precision: DType) throws(CLIPError) {
    self.model = model
    self.precision = precision
    contextLength = try FeatureEncoder(model).textConfiguration().contextLength
  }

  /// Returns L2-normalized features `[n, E]`.
  ///
  /// - Parameters:
  ///   - captions: ids from start to end, at least two each.
  ///   - word: an id; `nil` leaves the captions as they are. What no longer fits loses the id before
  ///     its last.
  func features(_ captions: [[Int32]], word: Int32? = nil) throws(CLIPError) -> Tensor {
    try model.encodeTexts(
      TokenBatch(captions.map { inserting(word, into: $0) }), normalize: true,
      precision: precision)
  }

  /// Returns features `[w · n, E]`: those of all captions with the first word, with the second, and so
  /// on.
  func features(_ captions: [[Int32]], words: some Sequence<Int32>) throws(CLIPError) -> Tensor {
    try model.encodeTexts(
      TokenBatch(words.flatMap { word in captions.map { inserting(word, into: $0) } }),
      normalize: true, precision: precision)
  }

  /// Returns a caption with a word; what no longer fits loses the id before its last.
  ///
  /// - Parameter place: of the word, from 1, behind the start, to before the end.
  func inserting(_ word: Int32?, into caption: [Int32], at place: Int = 1) -> [Int32] {
    guard let word else { return caption }
    var caption = caption
    if caption.count >= contextLength { caption.remove(at: caption.count - 2) }
    caption.insert(word, at: max(1, min(place, caption.count - 1)))
    return caption
  }
}
