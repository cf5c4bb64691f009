internal import Glibc

/// Words and captions that are unusually frequent among the pairs that score highest.
package struct CaptionConcentration: Equatable, Sendable {
  /// A word or a whole caption.
  package struct Entry: Equatable, Sendable {
    package let text: String
    /// Pairs of the dataset that have it.
    package let pairs: Int
    /// The length of the head of the ranking where it is most concentrated, and its pairs there.
    package let head: Int
    package let pairsInHead: Int
    /// Pairs in the head beyond what the rest of the ranking leads one to expect; see `HeadTrend`.
    package let excess: Double
    /// log10 of the chance of such a concentration, corrected for the entries and heads tried.
    package let logChance: Double

    /// The fraction of the head's pairs that have it.
    package var fractionOfHead: Double { Double(pairsInHead) / Double(max(1, head)) }
  }

  /// Words, most concentrated first; at most ten, all with a chance below 1 %.
  package let words: [Entry]
  /// Captions that occur more than once, likewise.
  package let captions: [Entry]

  /// The fraction of the ranking that is looked at as its head.
  private static let longestHead = 0.1

  /// - Parameters:
  ///   - captions: of all pairs.
  ///   - order: indices from the most to the least suspicious.
  package init(captions: [String], order: [Int]) {
    self.init(captionsOfImages: captions.map { [$0] }, order: order)
  }

  /// - Parameters:
  ///   - captionsOfImages: the captions of each image; a word counts once an image.
  ///   - order: indices of images from the most to the least suspicious.
  init(captionsOfImages: [[String]], order: [Int]) {
    var words: [String: [Int]] = [:]
    var whole: [String: [Int]] = [:]
    for (rank, index) in order.enumerated() {
      let captions = captionsOfImages[index].map { $0.lowercased() }
      for word in Set(captions.flatMap(Self.words)) { words[word, default: []].append(rank) }
      for caption in Set(captions) { whole[caption, default: []].append(rank) }
    }
    self.words = Self.concentrated(words, total: order.count)
    self.captions = Self.concentrated(whole.filter { $0.value.count > 1 }, total: order.count)
  }

  static func words(of caption: String) -> [String] {
    caption.split { !($0.isLetter || $0.isNumber || $0 == "'") }.map(String.init)
  }

  private static func concentrated(_ ranks: [String: [Int]], total: Int) -> [Entry] {
    let longest = Int(Double(total) * longestHead)
    guard longest >= 5 else { return [] }
    let tried = log(Double(max(1, ranks.count)))
    let trend = HeadTrend(total: total, longest: longest)
    let entries = ranks.compactMap { text, ranks -> Entry? in
      guard ranks.count >= 3, ranks[2] < longest else { return nil }
      let (lower, rate) = trend.rates(ranks)
      var best: (head: Int, found: Int, chance: Double) = (1, 0, 0)
      for (position, rank) in ranks.enumerated() {
        guard rank < longest else { break }
        let (found, head) = (position + 1, rank + 1)
        let expected = rate(head)
        guard found >= 3, Double(found) > max(2 * lower, expected) * Double(head) else { continue }
        let chance = Distributions.logBinomialTail(successes: found, trials: head, rate: expected)
        if chance < best.chance { best = (head, found, chance) }
      }
      let corrected = best.chance + tried + log(Double(longest))
      guard best.found > 0, corrected < log(0.01) else { return nil }
      return Entry(
        text: text, pairs: ranks.count, head: best.head, pairsInHead: best.found,
        excess: Double(best.found) - rate(best.head) * Double(best.head),
        logChance: corrected / log(10))
    }
    return Array(
      entries.sorted { ($0.logChance, $0.text) < ($1.logChance, $1.text) }.prefix(10))
  }
}
