extension CaptionConcentration.Entry {
  /// The entry for machines.
  package var json: JSONValue {
    [
      "text": .string(text), "pairs": .integer(pairs), "head": .integer(head),
      "pairs_in_head": .integer(pairsInHead), "excess": .number(excess),
      "log10_chance": .number(max(-999, logChance)),
    ]
  }
}

extension DatasetCheckResult {
  /// The result for machines, without the scores of the pairs: see `csv`.
  package var json: JSONValue {
    [
      "check": "data", "verdict": .string(verdict.rawValue), "explanation": .string(explanation),
      "pairs": .integer(pairs.count), "estimated_poisons": .integer(estimatedPoisons),
      "removed": .integer(removed),
      "words": .array(concentration.words.map(\.json)),
      "captions": .array(concentration.captions.map(\.json)),
      "dense_clusters": .array(
        denseClusters.map { cluster in
          [
            "pairs": .integer(cluster.members.count),
            "relative_distance": .number(Double(cluster.relativeDistance)),
            "word": .string(cluster.word), "word_share": .number(cluster.wordShare),
          ]
        }),
      "mixture": mixture.map { mixture in
        [
          "low_weight": .number(mixture.low.weight), "low_mean": .number(mixture.low.mean),
          "high_mean": .number(mixture.high.mean),
        ]
      } ?? .null,
      "scales": .array(
        (density?.scales ?? []).map { scale in
          ["k": .integer(scale.k), "references": .integer(scale.references)]
        }),
      "seed": .string(String(options.seed)),
    ]
  }

  /// A table with a row for each pair in the order of the dataset, numbers for statistics programs.
  ///
  /// Columns: `key`, `score`, `rank` (1 is the most suspicious), `trusted_cosine`,
  /// `mismatch_probability`, `caption_pairs`, `patch_pairs`, then `k_distance_K`, `slof_K`, `dao_K`
  /// for each scale, and `caption`. What was not measured is empty.
  package var csv: String {
    var ranks = [Int](repeating: 0, count: pairs.count)
    for (position, index) in ranking.enumerated() { ranks[index] = position + 1 }
    let scales = density?.scales ?? []
    var text = "key,score,rank,trusted_cosine,mismatch_probability,caption_pairs,patch_pairs"
    for scale in scales { text += ",k_distance_\(scale.k),slof_\(scale.k),dao_\(scale.k)" }
    text += ",caption\n"
    for (index, pair) in pairs.enumerated() {
      var fields = [
        Self.quoted(pair.key), "\(pair.score)", "\(ranks[index])",
        pair.trustedCosine.map { "\($0)" } ?? "", pair.mismatchProbability.map { "\($0)" } ?? "",
        "\(pair.captionPairs)", pair.patchPairs.map { "\($0)" } ?? "",
      ]
      for scale in scales {
        fields += [
          "\(scale.kDistance[index])", "\(scale.slof[index])", "\(scale.dao[index])",
        ]
      }
      fields.append(Self.quoted(pair.caption))
      text += fields.joined(separator: ",") + "\n"
    }
    return text
  }

  /// Keys of the pairs that stay, one on each line, in the order of the dataset.
  package var cleanedList: String {
    let left = Set(ranking.prefix(removed))
    var text = ""
    for (index, pair) in pairs.enumerated() where !left.contains(index) { text += pair.key + "\n" }
    return text
  }

  /// RFC 4180: quoted where the field holds a separator, a quote or a line break.
  static func quoted(_ field: String) -> String {
    guard field.utf8.contains(where: { [0x2C, 0x22, 0x0A, 0x0D].contains($0) }) else {
      return field
    }
    return "\""
      + field.split(separator: "\"", omittingEmptySubsequences: false)
      .joined(separator: "\"\"") + "\""
  }

  /// A page with the pictures of the most suspicious pairs, in order.
  ///
  /// - Parameters:
  ///   - data: what the dataset is called.
  ///   - count: pictures at most.
  ///   - picture: returns the picture of a pair, by its index; those that throw are left out.
  /// - Throws: `internal`, `outOfMemory` when a picture cannot be encoded.
  package func contactSheet(
    data: String, version: String, count: Int = 120,
    picture: (Int) throws(CLIPError) -> RGBImage
  ) throws(CLIPError) -> String {
    var page = DetectionPage(
      title: "Poison check of a dataset", subtitle: data, verdict: verdict,
      explanation: explanation)
    var pictures: [(image: RGBImage, caption: String)] = []
    for (rank, index) in ranking.prefix(count).enumerated() {
      guard let image = try? picture(index) else { continue }
      let pair = pairs[index]
      pictures.append(
        (
          try image.fitted(within: 112),
          "\(rank + 1). \(pair.caption) [\(pair.key)] \(decimal(Double(pair.score), 2))"
        ))
    }
    page.cards.append(
      try DetectionPage.pictures(
        "Most suspicious pairs", "In order, with caption, key and score.", pictures))
    page.cards.append(
      DetectionPage.table(
        "Words that the most suspicious captions share",
        concentration.words.map { word in
          (word.text, "\(word.pairsInHead) of the first \(word.head); \(word.pairs) in all")
        }))
    page.cards.append(
      DetectionPage.table(
        "How this was made",
        [
          ("version", version), ("pairs", "\(pairs.count)"),
          ("estimated poisons", "\(estimatedPoisons)"), ("seed", "\(options.seed)"),
        ]
          + (density?.scales ?? []).map { scale in
            ("neighbours", "\(scale.k) among \(scale.references) references")
          }))
    return page.html
  }
}

extension RGBImage {
  /// The picture, made smaller where a side is longer than `side`.
  func fitted(within side: Int) throws(CLIPError) -> RGBImage {
    let longest = max(width, height)
    guard longest > side else { return self }
    return try resized(
      width: max(1, width * side / longest), height: max(1, height * side / longest))
  }
}
