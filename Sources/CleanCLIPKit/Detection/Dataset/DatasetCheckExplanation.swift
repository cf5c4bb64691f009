/// Words around a dataset check for people who do not know the method.
enum DatasetCheckExplanation {
  /// Why nothing conspicuous is no sign that pairs are clean.
  enum Doubt { case noCaptions, unread, normalized }

  static func text(
    verdict: Verdict, pairs: Int, estimate: Int, removed: Int, concentration: CaptionConcentration,
    clusters: [DenseCluster], isConstant: Bool, noun: String, unread: String, uncaptioned: Int,
    doubt: Doubt?
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
    if estimate > 0,
      let word = concentration.words.first(where: { $0.fractionOfHead >= 0.3 })
    {
      sentences.append(
        "Of the \(word.head) most conspicuous of \(pairs) \(noun), \(word.pairsInHead) have "
          + "'\(word.text)' "
          + "in their caption, about \(Int(word.excess.rounded())) more than chance gives.")
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
    for cluster in clusters {
      let word = cluster.word.isEmpty ? "" : ", most often captioned with '\(cluster.word)'"
      sentences.append(
        "\(cluster.members.count) images are unusually alike to the model\(word): duplicates, or "
          + "poison of a high rate.")
    }
    return sentences.joined(separator: " ")
  }
}
