/// Easy Data Augmentation of captions (Wei and Zou 2019, arXiv:1901.11196), as CleanCLIP uses it:
/// exactly one of synonym replacement, random insertion, random swap and random deletion.
///
/// A caption is first reduced to lower-case words without punctuation and digits. Letters of all
/// scripts stay, though the published code keeps a–z alone: on English captions that is the same.
package struct TextAugmenter: Sendable {
  private let synonyms: SynonymSource?

  /// Fraction of words that replacement, insertion and swap change; at least one word.
  private static let alpha = 0.1
  /// Probability with which deletion leaves a word out.
  private static let deletion: Float = 0.1

  /// - Parameter synonyms: without them, only swap and deletion are drawn.
  package init(synonyms: SynonymSource?) {
    self.synonyms = synonyms
  }

  /// What to tell the user of missing synonyms; `nil` when all four operations are used.
  package var notice: String? {
    synonyms == nil
      ? "captions are augmented by swapping and deleting words only; expected WordNet in "
        + "'\(SynonymSource.installedFolder)'; install the package wordnet-base"
      : nil
  }

  /// Returns an augmented caption; one without letters is returned as it is.
  package func augment(_ caption: String, using random: inout RandomNumbers) -> String {
    let words = Self.words(of: caption)
    guard !words.isEmpty else { return caption }
    let operation = random.integer(below: synonyms == nil ? 2 : 4)
    let result =
      switch operation {
      case 0: swap(words, using: &random)
      case 1: delete(words, using: &random)
      case 2: replace(words, using: &random)
      default: insert(words, using: &random)
      }
    return result.joined(separator: " ")
  }

  /// The words of a caption: apostrophes go, everything else that is no letter divides.
  static func words(of caption: String) -> [String] {
    var text = String.UnicodeScalarView()
    for character in LowerCase.python(Array(caption.unicodeScalars)) {
      switch character {
      case "'", "’": continue
      case _ where character.properties.isAlphabetic: text.append(character)
      default:
        let category = character.properties.generalCategory
        // Marks belong to the letter before; most scripts of India need them.
        let isMark = category == .nonspacingMark || category == .spacingMark
        text.append(isMark ? character : " ")
      }
    }
    return String(text).split(separator: " ").map(String.init)
  }

  private func changes(_ words: [String]) -> Int { max(1, Int(Self.alpha * Double(words.count))) }

  private func replace(_ words: [String], using random: inout RandomNumbers) -> [String] {
    // Sorted before they are shuffled: the order of a set differs between runs.
    let candidates = Set(words).subtracting(Self.stopWords).sorted().shuffled(using: &random)
    var result = words
    var replaced = 0
    for word in candidates where replaced < changes(words) {
      guard let synonym = synonym(of: word, using: &random) else { continue }
      for i in result.indices where result[i] == word { result[i] = synonym }
      replaced += 1
    }
    return result
  }

  private func insert(_ words: [String], using random: inout RandomNumbers) -> [String] {
    var result = words
    for _ in 0..<changes(words) {
      for _ in 0..<10 {
        let word = result[random.integer(below: result.count)]
        guard let synonym = synonym(of: word, using: &random) else { continue }
        result.insert(synonym, at: random.integer(below: result.count))
        break
      }
    }
    return result
  }

  private func swap(_ words: [String], using random: inout RandomNumbers) -> [String] {
    var result = words
    for _ in 0..<changes(words) {
      let first = random.integer(below: result.count)
      for _ in 0..<4 {
        let second = random.integer(below: result.count)
        guard second != first else { continue }
        result.swapAt(first, second)
        break
      }
    }
    return result
  }

  private func delete(_ words: [String], using random: inout RandomNumbers) -> [String] {
    let rest = words.filter { _ in random.uniform() >= Self.deletion }
    return rest.isEmpty ? [words[random.integer(below: words.count)]] : rest
  }

  private func synonym(of word: String, using random: inout RandomNumbers) -> String? {
    let choices = synonyms?.synonyms(of: word) ?? []
    return choices.isEmpty ? nil : choices[random.integer(below: choices.count)]
  }

  /// English words that are never replaced.
  private static let stopWords = Set(
    """
    i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she
    her hers herself it its itself they them their theirs themselves what which who whom this that
    these those am is are was were be been being have has had having do does did doing a an the and
    but if or because as until while of at by for with about against between into through during
    before after above below to from up down in out on off over under again further then once here
    there when where why how all any both each few more most other some such no nor not only own
    same so than too very s t can will just don should now
    """.split { $0 == " " || $0 == "\n" }.map(String.init))
}
