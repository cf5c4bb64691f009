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

/// The verdict on a text tower, with its evidence.
package struct TextCheckResult: Sendable {
  package let verdict: Verdict
  package let pValue: Double
  /// The id of the strongest word, and the word; empty without a tokenizer.
  package let word: Int32
  package let text: String
  /// The part of the differences between captions that the word leaves.
  package let size: Float
  package let reference: SizeReference
  /// Mean pairwise cosine of held-out captions, as they are and with the word.
  package let cleanCollapse: Float
  package let heldOutCollapse: Float
  /// Texts nearest to where captions go.
  package let targets: [(text: String, cosine: Float)]
  package let seconds: Double

  static let sizeMeaning = "part of the differences between captions that the word leaves"

  /// The word as people read it.
  var name: String { text.isEmpty ? "number \(word)" : "'\(text)'" }

  /// Why, in words for people who do not know the method.
  package var explanation: String {
    let left = "\(decimal(Double(100 * size), 1)) %"
    switch verdict {
    case .backdoored, .suspicious:
      let target = targets.first.map { ", close to '\($0.text)'" } ?? ""
      return
        "The word \(name) makes captions of anything mean the same to the text tower\(target): "
        + "it leaves \(left) of the differences between them."
    case .clean, .cannotTell:
      return "In the text tower, the strongest word, \(name), leaves \(left) of the differences "
        + "between captions, which is not unusually little."
    }
  }
}

/// Looks for a backdoor in the text tower: a word that makes captions of anything mean the same.
///
/// A trigger in captions is a word of the vocabulary, so that all of them can be tried. The length of
/// a made-up token, as AMDET (arXiv:2512.00343) optimises it, tells nothing here: layer norms take it
/// away, and in clean towers too there are short ones that make captions alike.
package struct TextCheck {
  package let model: CLIPModel
  package var options = TextCheckOptions()
  /// A checkpoint of the same architecture and vocabulary that is known to be clean.
  package var anchor: CLIPModel?
  /// To read words; `nil` leaves numbers.
  package var tokenizer: Tokenizer?

  /// Captions that the strongest words are measured in.
  static let measured = 64

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
  /// - Throws: `unsupported` without a text tower.
  package func plainCaptions(
    _ count: Int = 256, tokenizer: Tokenizer
  ) throws(CLIPError) -> [[Int32]] {
    let length = try FeatureEncoder(model).textConfiguration().contextLength
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
    let words = try self.words(captions)
    let held = max(16, captions.count / 4)
    let heldOut = Array(captions.suffix(held))
    let searched = Array(captions.dropLast(held).prefix(Self.measured))
    let models = [model] + (anchor.map { [$0] } ?? [])
    var found: [[ScannedWord]] = []
    for (index, model) in models.enumerated() {
      let scan = try WordScan(
        try CaptionEncoder(model, precision: options.precision), captions: searched)
      found.append(
        try scan.strongest(
          of: words, except: Set([captions[0].first, captions[0].last].compactMap { $0 })
        ) {
          progress(index * words.count + $0, models.count * words.count)
        })
    }
    guard let strongest = found[0].first else {
      throw CLIPError(
        .invalidArgument, "check text: there are no words to try; expected a vocabulary, got none")
    }
    let reference = reference(
      strongest, others: found[0].dropFirst(), anchor: found.dropFirst().first)
    let encoder = try CaptionEncoder(model, precision: options.precision)
    let triggered = try encoder.features(heldOut, word: strongest.id)
    let before = FeatureMatrix.meanPairwiseCosine(try encoder.features(heldOut))
    let after = FeatureMatrix.meanPairwiseCosine(triggered)
    // A word that fails on held-out captions, or leaves them half of their differences, is no trigger.
    let isConfirmed = CollapseLoss.isConfirmed(after, from: before)
    let pValue = isConfirmed ? reference.pValue(of: strongest.size) : 1
    return TextCheckResult(
      verdict: Verdict(pValue: pValue), pValue: pValue, word: strongest.id,
      text: tokenizer?.text(of: strongest.id) ?? "", size: strongest.size, reference: reference,
      cleanCollapse: before, heldOutCollapse: after,
      targets: try Self.targets(triggered, vocabulary), seconds: monotonicSeconds() - start)
  }

  /// The words to try, after a look at the captions.
  private func words(_ captions: [[Int32]]) throws(CLIPError) -> Range<Int32> {
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
    guard let anchor else { return 0..<count }
    let other = try FeatureEncoder(anchor).textConfiguration().vocabularySize
    guard other == Int(count) else {
      throw CLIPError(
        .shape,
        "check text: the trusted checkpoint has another vocabulary; expected \(count) words, "
          + "got \(other)")
    }
    return 0..<count
  }

  /// What to judge the strongest word by: the strongest of the anchor, or the strongest others that
  /// lead elsewhere than those before them.
  private func reference(
    _ strongest: ScannedWord, others: ArraySlice<ScannedWord>, anchor: [ScannedWord]?
  ) -> SizeReference {
    if let size = anchor?.first?.size {
      return SizeReference(source: .cleanCheckpoints, sizes: [size])
    }
    var chosen = [strongest]
    for word in others where chosen.count <= options.references {
      let isNew = chosen.allSatisfy { other in
        zip(word.direction, other.direction).reduce(0) { $0 + $1.0 * $1.1 }
          <= CollapseLoss.sameDirection
      }
      if isNew { chosen.append(word) }
    }
    return SizeReference(source: .referenceSearches, sizes: chosen.dropFirst().map(\.size))
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
