/// Words around a dataset check for people who do not know the method.
enum DatasetCheckExplanation {
  /// Why nothing conspicuous is no sign that pairs are clean.
  enum Doubt { case noCaptions, unread, normalized }

  /// Repeated images that a text names; a report has all of them.
  private static let mostRepeated = 3

  static func text(
    verdict: Verdict, pairs: Int, estimate: Int, removed: Int, word: CaptionConcentration.Entry?,
    head: ImageCluster?, clusters: [DenseCluster], repeated: [ImageCluster], isConstant: Bool,
    noun: String, unread: String, uncaptioned: Int, doubt: Doubt?
  ) -> String {
    var sentences: [String] = []
    if !unread.isEmpty { sentences.append("Not covered, because it was left out: \(unread).") }
    if uncaptioned > 0 {
      sentences.append("\(uncaptioned) pairs have no caption, which tells the target of poison.")
    }
    switch doubt {
    case .unread:
      sentences.append(
        "That is more than a clean verdict bears; mend the data, or allow it. "
          + "The \(noun) that were read have nothing in common beyond chance.")
    case .normalized:
      sentences.append(
        "All features are of length 1, and most poison is told by their length: give them as the model does, "
          + "not L2-normalized. Without it the \(noun) have nothing in common beyond chance.")
    case .noCaptions:
      sentences.append(
        "Pairs are ranked, but without captions nothing tells whether the most conspicuous ones "
          + "have a target in common; the cleaned list leaves out none.")
    case nil: break
    }
    if estimate > 0, let word {
      sentences.append(
        "Of the \(word.head) most conspicuous of \(pairs) \(noun), \(word.pairsInHead) have "
          + "'\(word.text)' "
          + "in their caption, about \(Int(word.excess.rounded())) more than chance gives.")
      if let head, head.kind.isRepeated { sentences.append("These: " + head.description + ".") }
      sentences.append(
        "Roughly \(estimate) pairs look poisoned; the cleaned list leaves out the \(removed) most "
          + "conspicuous ones.")
      sentences.append(
        "Look at the images before you accuse anybody: placeholders, watermarks and other "
          + "shortcuts of honest data rank high too.")
    } else if verdict == .suspicious && estimate > 0 {
      sentences.append(
        "About \(estimate) of \(pairs) pairs match their captions much worse than the rest.")
    } else if isConstant {
      sentences.append("All features are equal, so no pair can be told from another.")
    } else if verdict == .clean {
      sentences.append(
        "The most conspicuous of the \(pairs) \(noun) have nothing in common beyond chance."
      )
      sentences.append(
        "Poison whose captions match its images, or that the model did not learn, is not covered."
      )
    }
    for dense in clusters {
      sentences.append("Unusually alike to the model: \(dense.cluster.description).")
    }
    let named = Set(clusters.flatMap(\.cluster.members) + (head?.members ?? []))
    let others = repeated.filter { cluster in
      2 * cluster.members.count(where: named.contains) < cluster.members.count
    }
    for (number, cluster) in others.prefix(mostRepeated).enumerated() {
      sentences.append((number == 0 ? "Repeated: " : "Also: ") + cluster.description + ".")
    }
    return sentences.joined(separator: " ")
  }
}

extension ImageCluster {
  /// What the images are, in a sentence without its end.
  var description: String {
    let shared = "the caption '\(caption.printable(limit: 120))'"
    return switch kind {
    case .duplicates:
      "\(shown) with various captions, which is no poison by itself"
    case .oneImageOneCaption:
      "\(shown), \(percent(captionFraction, 0)) of them with "
        + "\(shared): a shortcut that works like a trigger, planted or not"
    case .oneImageOneWord:
      "\(shown), \(percent(wordFraction, 0)) of them with '\(word)' in "
        + "the caption: a shortcut that works like a trigger, planted or not"
    case .differentImages:
      "\(pairs) pairs show different images\(words), as poison does"
    case .imagesNotSeen:
      "\(pairs) pairs\(words): duplicates or poison, which takes the images to tell"
    }
  }

  /// How many images there are, of which copies count once.
  private var shown: String {
    let few = distinctImages == 1 ? "one image" : "\(distinctImages ?? 0) images"
    let looked = imagesSeen < members.count ? " (\(imagesSeen) copies looked at)" : ""
    return "\(pairs) pairs show \(few)\(looked)"
  }

  private var words: String {
    word.isEmpty ? "" : ", \(percent(wordFraction, 0)) of them with '\(word)' in the caption"
  }
}
