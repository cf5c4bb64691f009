import CleanCLIPKit
import Testing

@Suite struct TextAugmenterTests {
  private let caption = "The quick brown-fox doesn't jump over 12 lazy dogs, near the big river!"
  private let words = "the quick brown fox doesnt jump over lazy dogs near the big river"
    .split(separator: " ").map(String.init)

  private func augmented(_ augmenter: TextAugmenter, _ caption: String, _ key: UInt64) -> [String] {
    var random = RandomNumbers(seed: 1, key)
    return augmenter.augment(caption, using: &random).split(separator: " ").map(String.init)
  }

  @Test func swapsOrDeletesWithoutSynonyms() {
    let augmenter = TextAugmenter(synonyms: nil)
    var kinds = (same: 0, swapped: 0, deleted: 0)
    for key in 0..<2000 {
      let result = augmented(augmenter, caption, UInt64(key))
      let moved = zip(result, words).filter { $0 != $1 }.count
      if result == words {
        kinds.same += 1
      } else if result.count == words.count {
        #expect(result.sorted() == words.sorted())
        #expect(moved == 2)
        kinds.swapped += 1
      } else {
        #expect(result.count < words.count && !result.isEmpty)
        kinds.deleted += 1
      }
    }
    // 0.9^13 of the deletions leave everything: 0.5 * 0.254; swaps of "the" with "the" as well.
    #expect(abs(kinds.same - 260) < 80)
    #expect(abs(kinds.swapped - 1000) < 100)
    #expect(abs(kinds.deleted - 746) < 100)
    #expect(augmenter.notice?.contains("wordnet-base") == true)
  }

  @Test(arguments: ["", "  ", "123 456", "!?", "😀👍", "\u{0}"])
  func returnsCaptionsWithoutLetters(_ caption: String) {
    for key: UInt64 in 0..<20 {
      var random = RandomNumbers(seed: 1, key)
      #expect(TextAugmenter(synonyms: nil).augment(caption, using: &random) == caption)
    }
  }

  @Test(arguments: ["dog", "狗", "Straße", "समुद्र", "a b"])
  func keepsAtLeastOneWord(_ caption: String) {
    for key: UInt64 in 0..<100 {
      let result = augmented(TextAugmenter(synonyms: nil), caption, key)
      #expect(!result.isEmpty)
      #expect(result.allSatisfy { caption.lowercased().contains($0) })
    }
  }

  @Test func drawsTheSameForTheSameKey() {
    let augmenter = TextAugmenter(synonyms: SynonymSource.installed())
    for key in 0..<50 as Range<UInt64> {
      #expect(augmented(augmenter, caption, key) == augmented(augmenter, caption, key))
    }
    let results = Set((0..<50 as Range<UInt64>).map { augmented(augmenter, caption, $0) })
    #expect(results.count > 20)
  }

  @Test(.enabled(if: SynonymSource.installed() != nil, "wordnet-base is not installed"))
  func usesEachOperationEquallyOften() throws {
    let augmenter = TextAugmenter(synonyms: SynonymSource.installed())
    #expect(augmenter.notice == nil)
    // No word is there twice, so that lengths and words tell the operation.
    let words = ["dog", "runs", "along", "beautiful", "beach"]
    var counts = [0, 0, 0, 0]
    for key in 0..<4000 as Range<UInt64> {
      let result = augmented(augmenter, words.joined(separator: " "), key)
      let kept = words.filter(result.contains).count
      if kept == 5 && result.count > 5 {
        counts[0] += 1  // insertion
      } else if kept == 5 && result != words {
        counts[1] += 1  // swap
      } else if kept < 5 && result.allSatisfy(words.contains) {
        counts[2] += 1  // deletion
      } else if kept == 4 {
        counts[3] += 1  // replacement
      }
    }
    #expect(abs(counts[0] - 1000) < 120)
    #expect(abs(counts[1] - 1000) < 120)
    // 0.9^5 of the deletions leave everything.
    #expect(abs(counts[2] - 410) < 120)
    #expect(abs(counts[3] - 1000) < 120)
  }

  @Test(.enabled(if: SynonymSource.installed() != nil, "wordnet-base is not installed"))
  func findsSynonymsAsWordNetHasThem() throws {
    let source = try SynonymSource()
    // The members of all synsets of each word, as NLTK's corpus reader gives them.
    #expect(
      source.synonyms(of: "dog") == [
        "andiron", "blackguard", "bounder", "cad", "canis familiaris", "chase", "chase after",
        "click", "detent", "dog iron", "domestic dog", "firedog", "frank", "frankfurter", "frump",
        "give chase", "go after", "heel", "hot dog", "hotdog", "hound", "pawl", "tag", "tail",
        "track", "trail", "weenie", "wiener", "wienerwurst",
      ])
    #expect(source.synonyms(of: "dogs").contains("domestic dog"))
    #expect(source.synonyms(of: "mice").contains("mouse"))
    #expect(source.synonyms(of: "beautiful") == [])
    #expect(source.synonyms(of: "big").contains("large"))
    #expect(source.synonyms(of: "quickly").contains("rapidly"))
    for word in ["", "xqzt", "zzzzzz", "aaaaaa", "Dog", "hot dog", "的", "the"] {
      #expect(source.synonyms(of: word).isEmpty)
    }
  }

  @Test func reportsMissingSynonyms() {
    expectError(containing: "index.noun") { _ = try SynonymSource(folder: "/nonexistent") }
  }
}
