/// A word of the vocabulary, and what it does to captions that it is put into.
struct ScannedWord: Equatable {
  let id: Int32
  /// The part of the differences between captions that is left: (1 - mean cosine with the word) /
  /// (1 - mean cosine without it).
  let size: Float
  /// `[E]`, L2-normalized: where the mean feature goes.
  let direction: [Float]
}

/// Tries every word of a vocabulary in a few captions, and the strongest in many.
struct WordScan {
  let encoder: CaptionEncoder
  /// Captions without the word.
  let captions: [[Int32]]
  private let cleanMean: [Float]
  private let cleanCollapse: Float

  /// Captions that every word is tried in, the shortest.
  static let few = 4
  /// Words that are tried in all captions.
  static let finalists = 64
  /// Words that are embedded at a time.
  private static let chunk = 256

  /// - Throws: see `CaptionEncoder`.
  init(_ encoder: CaptionEncoder, captions: [[Int32]]) throws(CLIPError) {
    self.encoder = encoder
    self.captions = captions
    let clean = try encoder.features(captions)
    cleanMean = FeatureMatrix.mean(clean)
    cleanCollapse = FeatureMatrix.meanPairwiseCosine(clean)
  }

  /// Returns the strongest words, strongest first.
  ///
  /// - Parameters:
  ///   - words: the ids to try.
  ///   - progress: called with the number of words tried; `false` cancels.
  /// - Throws: `cancelled`; `state` for weights that give NaN.
  func strongest(
    of words: Range<Int32>, except excluded: Set<Int32>, progress: (Int) -> Bool
  ) throws(CLIPError) -> [ScannedWord] {
    let short = Array(captions.sorted { $0.count < $1.count }.prefix(Self.few))
    var cosines: [Float] = []
    for start in stride(from: words.lowerBound, to: words.upperBound, by: Self.chunk) {
      let part = start..<min(words.upperBound, start + Int32(Self.chunk))
      let features = try encoder.features(short, words: part)
      for word in 0..<part.count {
        cosines.append(
          FeatureMatrix.meanPairwiseCosine(
            features.slice(word * short.count..<(word + 1) * short.count)))
      }
      guard progress(cosines.count) else {
        throw CLIPError(.cancelled, "check text: cancelled after \(cosines.count) words")
      }
    }
    guard cosines.allSatisfy(\.isFinite) else {
      throw CLIPError(
        .state,
        "check text: features are not finite; expected numbers, got NaN; the weights are broken")
    }
    let order = Ranking.descending(cosines).map { words.lowerBound + Int32($0) }
    var found: [ScannedWord] = []
    for word in order.filter({ !excluded.contains($0) }).prefix(Self.finalists) {
      found.append(try measured(word))
    }
    return found.sorted { ($0.size, $0.id) < ($1.size, $1.id) }
  }

  /// What a word does to all captions.
  func measured(_ word: Int32) throws(CLIPError) -> ScannedWord {
    let features = try encoder.features(captions, word: word)
    let left = (1 - FeatureMatrix.meanPairwiseCosine(features)) / max(1e-6, 1 - cleanCollapse)
    let shift = zip(FeatureMatrix.mean(features), cleanMean).map { $0 - $1 }
    let length = max(1e-12, shift.reduce(0) { $0 + $1 * $1 }.squareRoot())
    return ScannedWord(id: word, size: max(0, left), direction: shift.map { $0 / length })
  }
}
