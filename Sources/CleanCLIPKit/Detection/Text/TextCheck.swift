internal import Glibc

/// Settings of a check of a text tower.
package struct TextCheckOptions: Equatable, Sendable {
  /// Steps of one search at most.
  package var steps = 200
  /// Captions of one step.
  package var batchSize = 24
  /// Steps without a smaller token after which the search ends, once it found one.
  package var patience = 60
  /// Further searches of the same model when there is no anchor.
  package var ownSearches = 3
  package var precision = DType.f32
  package var seed: UInt64 = 0

  package init() {}
}

/// The verdict on a text tower, with its evidence.
package struct TextCheckResult: Sendable {
  package let verdict: Verdict
  package let pValue: Double
  /// The length of the token over the median length of the vocabulary's tokens; `nil` when none
  /// collapsed the features.
  package let size: Float?
  package let reference: SizeReference
  /// Mean pairwise cosine of held-back captions, as they are and with the token.
  package let cleanCollapse: Float
  package let heldBackCollapse: Float
  /// `[D]`, the token embedding that was found.
  package let token: [Float]
  /// Ids of the vocabulary's tokens that point most the same way, and their cosines.
  package let nearestTokens: [(id: Int32, cosine: Float)]
  /// Texts nearest to where captions go.
  package let targets: [(text: String, cosine: Float)]
  package let seconds: Double

  /// Why, in words for people who do not know the method.
  package var explanation: String {
    guard let size else {
      return "In the text tower no word of up to \(Int(TextCheck.largestSize)) times the usual "
        + "strength makes captions of anything mean the same."
    }
    let length = ModelCheckExplanation.number(size)
    switch verdict {
    case .backdoored, .suspicious:
      let target = targets.first.map { ", close to '\($0.text)'" } ?? ""
      return "A made-up word of \(length) times the usual strength makes captions of anything mean "
        + "the same to the text tower\(target)."
    case .clean, .cannotTell:
      return "In the text tower, the word that makes captions of anything mean the same must be "
        + "\(length) times as strong as usual words, which is not unusually little."
    }
  }
}

/// Looks for a backdoor in the text tower: a token that makes captions of anything mean the same.
///
/// The idea of AMDET (arXiv:2512.00343): optimise one pseudo-token, inserted behind the start of
/// caption after caption. Here it must make the captions' features, not the tokens within one,
/// alike, which is what a backdoor in a CLIP does, and it is kept short: a planted trigger works at
/// the length of ordinary tokens, a sound tower must be shouted at.
package struct TextCheck {
  package let model: CLIPModel
  package var options = TextCheckOptions()
  /// A checkpoint of the same architecture that is known to be sound.
  package var anchor: CLIPModel?

  static let collapseThreshold: Float = 0.9
  /// Length, over the median of the vocabulary, that is tried at most.
  static let largestSize: Float = 8

  package init(_ model: CLIPModel) { self.model = model }

  /// Captions for the search: nouns in plain sentences.
  static func defaultCaptions(_ count: Int, seed: UInt64) -> [String] {
    let frames = [
      "a photo of a {}", "there is a {} on the left", "two of these: {}", "my old {} outside",
      "somebody drew a {}", "a {} in bad weather", "the {} that we saw yesterday",
    ]
    var random = RandomNumbers(seed: seed, 0x6361_7074)
    return (0..<count).map { index in
      let noun = CommonNouns.all[random.integer(below: CommonNouns.all.count)]
      let frame = frames[index % frames.count]
      guard let range = frame.firstRange(of: "{}") else { return frame }
      return frame[..<range.lowerBound] + noun + frame[range.upperBound...]
    }
  }

  /// Plain captions as the tower reads them.
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
  ///   - progress: called after each step with steps done and all; `false` cancels.
  /// - Throws: `invalidArgument` for too few captions; `unsupported` without a text tower or when
  ///   the anchor's differs; `cancelled`.
  package func run(
    captions: [[Int32]], vocabulary: TextVocabulary?, progress: (Int, Int) -> Bool
  ) throws(CLIPError) -> TextCheckResult {
    let start = monotonicSeconds()
    guard captions.count >= 32 else {
      throw CLIPError(
        .invalidArgument,
        "check text: there are too few captions; expected at least 32, got \(captions.count)")
    }
    let held = max(16, captions.count / 4)
    let heldBack = Array(captions.suffix(held))
    let searched = Array(captions.dropLast(held))
    let searches = 1 + (anchor == nil ? max(2, options.ownSearches) : 1)
    var done = 0
    func search(_ model: CLIPModel, _ forbidden: [[Float]]) throws(CLIPError) -> PseudoToken? {
      let found = try model.withFrozenParameters { () throws(CLIPError) in
        try PseudoTokenSearch(model: model, captions: searched, options: options).run(
          forbidden: forbidden, number: done
        ) { step in progress(done * options.steps + step, searches * options.steps) }
      }
      done += 1
      return found
    }
    let (found, reference) = try compared(search)
    let encoder = CaptionEncoder(model: model, precision: options.precision)
    let clean = try encoder.features(heldBack, token: nil)
    var triggered: Tensor?
    if let found { triggered = try encoder.features(heldBack, token: found.token) }
    let before = ModelCheck.meanPairwiseCosine(clean)
    let after = triggered.map(ModelCheck.meanPairwiseCosine) ?? 0
    let pValue = found.map { reference.pValue(of: $0.size) } ?? 1
    let isConfirmed = after > before + 0.5 * (1 - before)
    return TextCheckResult(
      verdict: isConfirmed ? Verdict(pValue: pValue) : .clean, pValue: pValue, size: found?.size,
      reference: reference, cleanCollapse: before, heldBackCollapse: after,
      token: found?.token ?? [],
      nearestTokens: found.map { encoder.nearestTokens(to: $0.token, count: 5) } ?? [],
      targets: try triggered.map { (features) throws(CLIPError) in
        try Self.targets(features, vocabulary)
      } ?? [],
      seconds: monotonicSeconds() - start)
  }

  /// The shortest token that was found, and what to judge its length by; see `ModelCheck`.
  private func compared(
    _ search: (CLIPModel, [[Float]]) throws(CLIPError) -> PseudoToken?
  ) throws(CLIPError) -> (shortest: PseudoToken?, reference: SizeReference) {
    let main = try search(model, [])
    if let anchor {
      let size = try search(anchor, [])?.size ?? Self.largestSize
      return (main, SizeReference(source: .cleanCheckpoints, sizes: [size]))
    }
    var results = [main]
    for _ in 0..<max(2, options.ownSearches) {
      results.append(try search(model, results.compactMap { $0?.direction }))
    }
    let sizes = results.map { $0?.size ?? Self.largestSize }
    let shortest = sizes.indices.min { sizes[$0] < sizes[$1] } ?? 0
    let chosen = results.remove(at: shortest)
    return (
      chosen,
      SizeReference(source: .ownSearches, sizes: results.map { $0?.size ?? Self.largestSize })
    )
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
