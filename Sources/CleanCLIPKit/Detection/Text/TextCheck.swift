internal import Glibc

/// Settings of a check of a text tower.
package struct TextCheckOptions: Equatable, Sendable {
  /// Other words of the same model that the strongest is compared with, when there is no anchor.
  package var references = 8
  package var precision = DType.f32
  package var seed: UInt64 = 0

  package init() {}

  static let rules: [OptionRule<TextCheckOptions>] = [
    OptionRule("references", \.references, .range(2...1000))
  ]
}

/// Looks for a backdoor in the text tower: a word that makes captions of anything mean the same.
///
/// A trigger in captions is a word of the vocabulary, a character of another script, or two words: all words and
/// characters are tried, and the strongest words in pairs. The length of
/// a made-up token, as AMDET (arXiv:2512.00343) optimises it, tells nothing here: layer norms take it
/// away, and in clean towers too there are short ones that make captions alike.
package struct TextCheck {
  package let model: CLIPModel
  package var options = TextCheckOptions()
  /// A checkpoint of the same architecture and vocabulary that is known to be clean.
  package var anchor: CLIPModel?
  /// To try characters and to read words; `nil` leaves words as numbers.
  package var tokenizer: Tokenizer?

  /// Captions that the strongest triggers are measured in.
  static let measured = 64
  /// Of the strongest words, those that are tried in pairs.
  package static let paired = 32

  package init(_ model: CLIPModel) { self.model = model }

  /// Captions for the scan: nouns, alone and in plain sentences.
  static func defaultCaptions(_ count: Int, seed: UInt64) -> [String] {
    let frames: [PromptTemplate] = [
      "{}", "a photo of a {}", "there is a {} on the left", "two of these: {}", "my old {} outside",
      "somebody drew a {}", "a {} in bad weather", "the {} that we saw yesterday",
    ]
    var random = RandomNumbers(seed: seed, DetectionStream.captions)
    return (0..<count).map { index in
      let noun = CommonNouns.all[random.integer(below: CommonNouns.all.count)]
      return frames[index % frames.count].filled(with: noun)
    }
  }

  /// Token ids of plain captions.
  ///
  /// - Throws: `unsupported` without a text tower; `invalidArgument` for a tokenizer of another vocabulary.
  package func plainCaptions(
    _ count: Int = 256, tokenizer: Tokenizer
  ) throws(CLIPError) -> [[Int32]] {
    let encoder = FeatureEncoder(model)
    try encoder.check(tokenizer)
    let length = try encoder.textConfiguration().contextLength
    return Self.defaultCaptions(count, seed: options.seed).map {
      tokenizer.encode($0, contextLength: length)
    }
  }

  /// Checks the tower.
  ///
  /// - Parameters:
  ///   - captions: token ids of at least 32 different captions, start and end included.
  ///   - vocabulary: texts to read the target out of; `nil` to leave that out.
  ///   - progress: called after some words with those tried and all; `false` cancels.
  /// - Throws: `invalidArgument` for too few captions or ids that are not in the vocabulary;
  ///   `state` without a text tower or for weights that give NaN; `shape` when the anchor has another
  ///   vocabulary; `cancelled`.
  package func run(
    captions: [[Int32]], vocabulary: TextVocabulary?, progress: (Int, Int) -> Bool
  ) throws(CLIPError) -> TextCheckResult {
    try TextCheckOptions.rules.check(options)
    let start = monotonicSeconds()
    let words = CaptionTrigger.words(
      try vocabularySize(captions),
      except: Set([captions[0].first, captions[0].last].compactMap { $0 }))
    guard !words.isEmpty else {
      throw CLIPError(
        .invalidArgument, "check text: there are no words to try; expected a vocabulary, got none")
    }
    let characters = tokenizer.map(CaptionTrigger.characters) ?? []
    let held = max(16, captions.count / 4)
    let heldOut = Array(captions.suffix(held))
    let searched = Array(captions.dropLast(held).prefix(Self.measured))
    let models = [model] + (anchor.map { [$0] } ?? [])
    let pairs = min(words.count, Self.paired) * (min(words.count, Self.paired) - 1)
    let tried = words.count + characters.count + pairs
    var scans: [CaptionScan] = []
    // Of each model the kinds of triggers.
    var found: [[CaptionScan.Ranked]] = []
    for (number, model) in models.enumerated() {
      let scan = try CaptionScan(
        try CaptionEncoder(model, precision: options.precision), captions: searched)
      scans.append(scan)
      found.append(
        try Self.ranked(words, characters, by: scan) {
          progress(number * tried + $0, models.count * tried)
        })
    }
    let before = FeatureMatrix.meanPairwiseCosine(try scans[0].encoder.features(heldOut))
    var searches: [TextSearch] = []
    for (kind, ranked) in found[0].enumerated() {
      guard let strongest = ranked.strongest.first else { continue }
      let sizes: [Float]
      if let anchor = found.dropFirst().first?[kind].strongest.first {
        sizes = [anchor.size]
      } else {
        sizes = try scans[0].sizesElsewhere(ranked, count: options.references)
      }
      searches.append(
        try search(
          strongest, of: ranked.tried,
          SizeReference(
            source: anchor == nil ? .referenceSearches : .cleanCheckpoints, sizes: sizes),
          heldOut, before: before, scans[0].encoder))
    }
    let weights = searches.reduce(0) { $0 + $1.trigger.kind.weight }
    func share(_ search: TextSearch) -> Double {
      search.pValue * weights / search.trigger.kind.weight
    }
    searches.sort { (share($0), $0.size) < (share($1), $1.size) }
    let pValue = min(1, share(searches[0]))
    return TextCheckResult(
      verdict: Verdict(pValue: pValue), pValue: pValue, searches: searches, cleanCollapse: before,
      targets: try Self.targets(
        try scans[0].encoder.features(heldOut, trigger: searches[0].ids), vocabulary),
      seconds: monotonicSeconds() - start)
  }

  /// Tries words, characters, and pairs of the strongest words.
  ///
  /// - Parameter progress: called with the number of triggers tried; `false` cancels.
  private static func ranked(
    _ words: [CaptionTrigger], _ characters: [CaptionTrigger], by scan: CaptionScan,
    progress: (Int) -> Bool
  ) throws(CLIPError) -> [CaptionScan.Ranked] {
    let ofWords = try scan.ranked(words, progress: progress)
    let ofCharacters = try scan.ranked(characters) { progress(words.count + $0) }
    let pairs = CaptionTrigger.pairs(of: ofWords.strongest.prefix(paired).map(\.trigger))
    let ofPairs = try scan.ranked(pairs) { progress(words.count + characters.count + $0) }
    return [ofWords, ofCharacters, ofPairs]
  }

  /// Judges the strongest trigger of a kind.
  ///
  /// - Parameters:
  ///   - tried: triggers of the kind.
  ///   - before: mean pairwise cosine of the held-out captions.
  private func search(
    _ strongest: ScannedTrigger, of tried: Int, _ reference: SizeReference, _ heldOut: [[Int32]],
    before: Float, _ encoder: CaptionEncoder
  ) throws(CLIPError) -> TextSearch {
    let after = FeatureMatrix.meanPairwiseCosine(
      try encoder.features(heldOut, trigger: strongest.trigger.ids))
    // A trigger that fails on held-out captions, or leaves them half of their differences, is none.
    let isConfirmed = CollapseLoss.isConfirmed(after, from: before)
    return TextSearch(
      trigger: strongest.trigger, text: tokenizer?.text(of: strongest.trigger.ids) ?? "",
      tried: tried, size: strongest.size, reference: reference, heldOutCollapse: after,
      pValue: isConfirmed ? reference.pValue(of: strongest.size) : 1)
  }

  /// Words of the vocabulary, after a look at the captions.
  private func vocabularySize(_ captions: [[Int32]]) throws(CLIPError) -> Int32 {
    guard captions.count >= 32 else {
      throw CLIPError(
        .invalidArgument,
        "check text: there are too few captions; expected at least 32, got \(captions.count)")
    }
    let count = Int32(clamping: try FeatureEncoder(model).textConfiguration().vocabularySize)
    for caption in captions {
      guard caption.count >= 2, caption.allSatisfy({ (0..<count).contains($0) }) else {
        throw CLIPError(
          .invalidArgument,
          "check text: a caption does not fit the model; expected start, words and end with ids from "
            + "0 to \(count - 1), got \(caption)")
      }
    }
    guard let anchor else { return count }
    let other = try FeatureEncoder(anchor).textConfiguration().vocabularySize
    guard other == Int(count) else {
      throw CLIPError(
        .shape,
        "check text: the trusted checkpoint has another vocabulary; expected \(count) words, "
          + "got \(other)")
    }
    return count
  }

  private static func targets(
    _ features: Tensor, _ vocabulary: TextVocabulary?
  ) throws(CLIPError) -> [(text: String, cosine: Float)] {
    guard let vocabulary else { return [] }
    let similarities = try vocabulary.similarities(features)
    let names = vocabulary.names.count
    var means = [Float](repeating: 0, count: names)
    for row in 0..<features.shape[0] {
      for name in 0..<names {
        means[name] += similarities.f32[row * names + name] / Float(features.shape[0])
      }
    }
    return Ranking.descending(means).prefix(10).map { (vocabulary.names[$0], means[$0]) }
  }
}
