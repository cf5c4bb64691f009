internal import Glibc

/// What is at hand of a dataset to tell what images that stand out together are.
struct ClusterEvidence {
  /// The captions of each image; `nil` without any.
  let captions: [[String]]?
  /// `[images, E]`; `nil` without features.
  let features: FeatureRows?
  /// What images look like.
  let looks: ImageLooks
  /// Pairs of each image; `nil` when each has one.
  let pairCounts: [Int]?
  let imageCount: Int

  /// Images of a cluster that are looked at.
  static let mostSeen = 256
  /// Images that say how frequent a word or caption is in the dataset.
  private static let mostCounted = 20_000
  /// Pairs of each image that differs, beside those of the usual image, from which a cluster is copies of few.
  private static let copies = 8.0
  /// Fraction of the pairs, beyond that of the dataset, from which captions or a word are in common.
  private static let common = 0.5

  /// Pairs of an image.
  func pairs(_ image: Int) -> Int { pairCounts?[image] ?? 1 }

  /// Pairs of the usual image.
  var usualPairs: Double {
    pairCounts.map { Double($0.reduce(0, +)) / Double(max(1, $0.count)) } ?? 1
  }

  /// Tells what images are.
  ///
  /// - Throws: what reading features throws.
  func cluster(_ members: [Int]) throws(CLIPError) -> ImageCluster {
    let sample = Self.evenly(members, most: Self.mostSeen)
    let features = try self.features.map { (rows) throws(CLIPError) in try rows.gather(sample) }
    let (seen, distinct) = distinctImages(sample, features)
    let common = captions.map { commonTexts(members, $0) } ?? Common()
    let kind: ImageCluster.Kind
    if let distinct, Double(seen.pairs) >= Self.copies * Double(distinct) * usualPairs {
      kind =
        common.isCaption ? .oneImageOneCaption : common.isWord ? .oneImageOneWord : .duplicates
    } else {
      kind = distinct == nil ? .imagesNotSeen : .differentImages
    }
    return ImageCluster(
      kind: kind, members: members, pairs: members.reduce(0) { $0 + pairs($1) },
      imagesSeen: seen.images, distinctImages: distinct, cosine: features.map(Self.medianCosine),
      caption: common.caption, captionFraction: common.captionFraction, word: common.word,
      wordFraction: common.wordFraction)
  }

  /// Counts images that differ: by their looks, or where nothing is known of those, by features that are equal
  /// bit by bit; features that are merely alike tell nothing.
  private func distinctImages(
    _ sample: [Int], _ features: Tensor?
  ) -> (seen: (images: Int, pairs: Int), distinct: Int?) {
    var leaders: [ImageDescriptor] = []
    var seen = (images: 0, pairs: 0)
    for image in sample {
      guard let descriptor = looks.descriptor(of: image) else { continue }
      seen = (seen.images + 1, seen.pairs + pairs(image))
      if !leaders.contains(where: descriptor.isNearDuplicate) { leaders.append(descriptor) }
    }
    guard seen.images == 0 else { return (seen, leaders.count) }
    guard let features else { return (seen, nil) }
    let width = features.shape[1]
    let rows = Set(
      (0..<sample.count).map { row in
        Array(UnsafeBufferPointer(start: features.f32 + row * width, count: width))
      })
    let all = (sample.count, sample.reduce(0) { $0 + pairs($1) })
    let isRepeated = Double(all.1) >= Self.copies * Double(rows.count) * usualPairs
    return isRepeated ? (all, rows.count) : (seen, nil)
  }

  /// Members at even distances, at most so many.
  static func evenly(_ members: [Int], most: Int) -> [Int] {
    guard members.count > most else { return members }
    return (0..<most).map { members[$0 * members.count / most] }
  }

  /// Directions of rows `[n, E]` about their mean direction.
  private static func medianCosine(_ features: Tensor) -> Float {
    let width = features.shape[1]
    var mean = [Float](repeating: 0, count: width)
    var units: [[Float]] = []
    for row in 0..<features.shape[0] {
      let values = UnsafeBufferPointer(start: features.f32 + row * width, count: width)
      let length = max(1e-30, values.reduce(0) { $0 + $1 * $1 }.squareRoot())
      let unit = values.map { $0 / length }
      for column in 0..<width { mean[column] += unit[column] }
      units.append(unit)
    }
    let length = max(1e-30, mean.reduce(0) { $0 + $1 * $1 }.squareRoot())
    return Ranking.median(
      units.map { unit in zip(unit, mean).reduce(0) { $0 + $1.0 * $1.1 } / length })
  }
}

// MARK: Captions

extension ClusterEvidence {
  /// The caption and the word that pairs have in common most.
  private struct Common {
    var caption = ""
    var captionFraction = 0.0
    var isCaption = false
    var word = ""
    var wordFraction = 0.0
    var isWord = false
  }

  private func commonTexts(_ members: [Int], _ captions: [[String]]) -> Common {
    var texts: [String: Int] = [:]
    var words: [String: Int] = [:]
    var total = 0
    for image in members {
      for caption in captions[image] {
        let caption = caption.lowercased()
        total += 1
        texts[caption, default: 0] += 1
        for word in Set(CaptionConcentration.words(of: caption)) { words[word, default: 0] += 1 }
      }
    }
    let (usualTexts, usualWords, counted) = usual(texts, words, captions)
    func best(_ counts: [String: Int], _ usual: [String: Int]) -> (String, Double, Double) {
      let excesses = counts.map { text, count in
        let fraction = Double(count) / Double(total)
        return (text, fraction, fraction - Double(usual[text] ?? 0) / Double(counted))
      }
      return excesses.max { ($0.2, $1.0) < ($1.2, $0.0) } ?? ("", 0, 0)
    }
    var common = Common()
    let (caption, captionFraction, captionExcess) = best(texts, usualTexts)
    let (word, wordFraction, wordExcess) = best(words, usualWords)
    (common.caption, common.captionFraction) = (caption, captionFraction)
    (common.word, common.wordFraction) = (word, wordFraction)
    common.isCaption = !caption.isEmpty && captionExcess >= Self.common
    common.isWord = wordExcess >= Self.common
    return common
  }

  /// Counts texts and words in captions of the dataset, at even distances.
  private func usual(
    _ texts: [String: Int], _ words: [String: Int], _ captions: [[String]]
  ) -> (texts: [String: Int], words: [String: Int], captions: Int) {
    var usualTexts: [String: Int] = [:]
    var usualWords: [String: Int] = [:]
    var counted = 0
    for image in Self.evenly(Array(captions.indices), most: Self.mostCounted) {
      for caption in captions[image] {
        let caption = caption.lowercased()
        counted += 1
        if texts[caption] != nil { usualTexts[caption, default: 0] += 1 }
        for word in Set(CaptionConcentration.words(of: caption)) where words[word] != nil {
          usualWords[word, default: 0] += 1
        }
      }
    }
    return (usualTexts, usualWords, max(1, counted))
  }
}
