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
      "pairs": .integer(pairs.count), "estimated_poisoned": .integer(estimatedPoisoned),
      "removed": .integer(removed),
      "words": .array(concentration.words.map(\.json)),
      "captions": .array(concentration.captions.map(\.json)),
      "dense_clusters": .array(
        denseClusters.map { dense in
          var json = dense.cluster.json
          json["relative_distance"] = .number(Double(dense.relativeDistance))
          return .object(json)
        }),
      "head": head.map { .object($0.json) } ?? .null,
      "repeated_images": .array(repeatedImages.map { .object($0.json) }),
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
      "seed": .string(String(options.seed)), "rows": .integer(rowCount),
      "unread": .integer(omissions.unread), "left_out": omissions.json,
    ]
  }

  /// A table with a row for each row of the dataset in its order, numbers for statistics programs.
  ///
  /// Columns: `row`, from 0, `key`, `score`, `rank` (1 is the most suspicious), `trusted_cosine`,
  /// `mismatch_probability`, `caption_pairs`, `patch_pairs`, then `k_distance_K`, `slof_K`, `dao_K`
  /// for each scale, and `caption`. What was not measured is empty. Keys and captions are escaped as in
  /// `RowList`.
  package var csv: String {
    var ranks = [Int](repeating: 0, count: pairs.count)
    for (position, index) in ranking.enumerated() { ranks[index] = position + 1 }
    let scales = density?.scales ?? []
    var text = "row,key,score,rank,trusted_cosine,mismatch_probability,caption_pairs,patch_pairs"
    for scale in scales { text += ",k_distance_\(scale.k),slof_\(scale.k),dao_\(scale.k)" }
    text += ",caption\n"
    let unread = String(repeating: ",", count: 8 + 3 * scales.count)
    var next = 0
    for row in 0..<rowCount {
      guard next < rows.count, rows[next] == row else {
        text += "\(row)\(unread)\n"
        continue
      }
      text += line(row, pair: next, rank: ranks[next])
      next += 1
    }
    return text
  }

  private func line(_ row: Int, pair index: Int, rank: Int) -> String {
    let pair = pairs[index]
    var fields = [
      "\(row)", Self.quoted(RowList.escaped(pair.key)), "\(pair.score)", "\(rank)",
      pair.trustedCosine.map { "\($0)" } ?? "", pair.mismatchProbability.map { "\($0)" } ?? "",
      "\(pair.captionPairs)", pair.patchPairs.map { "\($0)" } ?? "",
    ]
    for scale in density?.scales ?? [] {
      fields += ["\(scale.kDistance[index])", "\(scale.slof[index])", "\(scale.dao[index])"]
    }
    fields.append(Self.quoted(RowList.escaped(pair.caption)))
    return fields.joined(separator: ",") + "\n"
  }

  /// The rows that were read and stay, in the order of the dataset, as a `RowList`.
  package var cleanedList: String {
    let left = Set(ranking.prefix(removed))
    var text = ""
    for (index, pair) in pairs.enumerated() where !left.contains(index) {
      text += RowList.line(row: rows[index], key: pair.key)
    }
    return text
  }

  /// The rows that a cleaned list leaves out, in the order of the dataset, as a `RowList`.
  package var suspectList: String {
    ranking.prefix(removed).sorted().map { RowList.line(row: rows[$0], key: pairs[$0].key) }
      .joined()
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

  /// A page with the most suspicious pairs, in order.
  ///
  /// - Parameters:
  ///   - data: what the dataset is called.
  ///   - count: pairs at most.
  ///   - images: the dataset and the row in it of each pair; those that cannot be read are left out.
  ///     `nil` when there are no images: the pairs are a table then.
  /// - Throws: `internal`, `outOfMemory` when an image cannot be encoded.
  package func contactSheet(
    data: String, version: String, count: Int = 120,
    images: (dataset: PairDataset, rows: [Int])?
  ) throws(CLIPError) -> String {
    let headline: String? =
      switch verdict {
      case .backdoored: "Poisoned"
      case .clean: "No poison found"
      case .suspicious, .cannotTell: nil
      }
    var page = HTMLPage(
      title: "Poison check of a dataset", subtitle: data, verdict: verdict,
      explanation: explanation, headline: headline)
    page.parts.append(try head(count, images))
    page.parts.append(
      HTMLPage.table(
        "Words that the most suspicious captions have in common",
        concentration.words.map { word in
          (word.text, "\(word.pairsInHead) of the first \(word.head); \(word.pairs) in all")
        }))
    if !groups.isEmpty {
      page.parts.append(HTMLPage.table("Images that stand out together", groups))
    }
    page.parts.append(
      HTMLPage.table(
        "How this was made",
        [
          ("version", version), ("rows of the dataset", "\(rowCount)"),
          ("pairs", "\(pairs.count)"),
          ("left out", omissions.isEmpty ? "nothing" : omissions.lines.joined(separator: "\n")),
          ("estimated poisoned pairs", "\(estimatedPoisoned)"), ("seed", "\(options.seed)"),
        ]
          + (density?.scales ?? []).map { scale in
            ("neighbours", "\(scale.k) among \(scale.references) references")
          }))
    return page.html
  }

  /// What images that stand out together are, for a table.
  private var groups: [(name: String, value: String)] {
    (head.map { [("head of the ranking", $0.description)] } ?? [])
      + denseClusters.map { ("close to one another", $0.cluster.description) }
      + repeatedImages.map { ("repeated", $0.description) }
  }

  /// The card of the most suspicious pairs.
  private func head(
    _ count: Int, _ source: (dataset: PairDataset, rows: [Int])?
  ) throws(CLIPError) -> String {
    let title = "Most suspicious pairs"
    guard let source else {
      return HTMLPage.table(
        title,
        ranking.prefix(count).enumerated().map { rank, index in
          (
            "\(rank + 1). \(pairs[index].key)",
            "\(decimal(Double(pairs[index].score), 2)) \(pairs[index].caption)"
          )
        })
    }
    var images: [(image: RGBImage, caption: String)] = []
    for (rank, index) in ranking.prefix(count).enumerated() {
      guard let image = try? source.dataset.row(at: source.rows[index]).decoded().image else {
        continue
      }
      let pair = pairs[index]
      images.append(
        (
          try image.fitted(within: 112),
          "\(rank + 1). \(pair.caption) [\(pair.key)] \(decimal(Double(pair.score), 2))"
        ))
    }
    return try HTMLPage.images(title, "In order, with caption, key and score.", images)
  }
}

extension RGBImage {
  /// The image, made smaller where a side is longer than `side`.
  func fitted(within side: Int) throws(CLIPError) -> RGBImage {
    let longest = max(width, height)
    guard longest > side else { return self }
    return try resized(
      width: max(1, width * side / longest), height: max(1, height * side / longest))
  }
}
