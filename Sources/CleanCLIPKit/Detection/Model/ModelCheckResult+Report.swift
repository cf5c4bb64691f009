extension TargetReadout {
  /// The readout for machines.
  package var json: JSONValue {
    [
      "success_rate": .number(Double(successRate)),
      "targets": .array(
        entries.map { entry in
          [
            "text": .string(entry.text), "gain": .number(Double(entry.gain)),
            "cosine": .number(Double(entry.cosine)),
          ]
        }),
    ]
  }
}

extension SizeReference.Source {
  /// What the sizes are of, in words.
  var meaning: String {
    switch self {
    case .cleanCheckpoints: "trusted checkpoints"
    case .referenceSearches: "further searches in this model"
    case .otherClasses: "the other classes"
    }
  }
}

extension TriggerFinding {
  /// The finding in words, for headings.
  package var name: String { kind.name + (target.map { " towards '\($0)'" } ?? "") }

  /// The finding for machines.
  package var json: JSONValue {
    [
      "kind": .string(kind.name), "class": target.map { .string($0) } ?? .null,
      "verdict": .string(verdict.rawValue),
      "found": .bool(search.trigger != nil), "size": .number(Double(search.size)),
      "size_meaning": .string(kind.sizeMeaning), "p_value": .number(pValue),
      "reference": .object([
        "source": .string(reference.source.rawValue),
        "sizes": .array(reference.sizes.map { .number(Double($0)) }),
      ]),
      "collapse": .number(Double(search.collapse)),
      "held_out_collapse": .number(Double(heldOutCollapse)),
      "clean_collapse": .number(Double(cleanCollapse)), "steps": .integer(search.steps),
      "classes": classes?.json ?? .null, "nouns": nouns?.json ?? .null,
    ]
  }
}

extension ModelCheckResult {
  /// The result for machines.
  package var json: JSONValue {
    [
      "check": "model", "verdict": .string(verdict.rawValue), "p_value": .number(pValue),
      "explanation": .string(explanation), "origin": "natural or unknown",
      "findings": .array(imageFindings.map(\.json)),
      "backdoors": .array(backdoors.map(\.json)), "searches_left_out": .integer(leftOut),
      "targets": .array(targets.map { .string($0) }),
      "images": [
        "count": .integer(images), "source": .string(imagesAreSynthetic ? "synthetic" : "given"),
        "unread": .integer(omissions.unread), "left_out": omissions.json,
      ],
      "settings": [
        "steps": .integer(options.search.steps), "batch_size": .integer(options.search.batchSize),
        "seed": .string(String(options.search.seed)),
        "precision": .string(options.search.precision == .bf16 ? "bf16" : "f32"),
        "reference_searches": .integer(options.referenceSearches),
        "class_searches": .integer(options.classSearches),
        "exhaustive": .bool(options.isExhaustive),
      ],
      "calibration": calibration.json, "files": .array(files), "seconds": .number(seconds),
      "image_tower_verdict": .string(imageVerdict.rawValue),
      "text_tower": textTower?.json ?? .null,
    ]
  }

  /// The result as one self-contained page.
  ///
  /// - Parameters:
  ///   - model: what the checkpoint is called.
  ///   - version: of the program.
  /// - Throws: `internal`, `outOfMemory` when an image cannot be encoded.
  package func html(model: String, version: String) throws(CLIPError) -> String {
    var page = HTMLPage(
      title: "Poison check of a checkpoint", subtitle: model, verdict: verdict,
      explanation: explanation)
    if !examples.isEmpty, let strongest {
      page.parts.append(
        try HTMLPage.images(
          "Images as they are and with the recovered trigger",
          "The trigger of the strongest finding: \(strongest.name).",
          examples.flatMap {
            [(image: $0.clean, caption: "as it is"), ($0.triggered, "triggered")]
          }
        ))
    }
    let triggers = imageFindings.compactMap { finding in
      finding.search.trigger.map {
        (
          image: $0.image,
          caption: "\(finding.name), size \(significant(Double($0.size)))"
        )
      }
    }
    if !triggers.isEmpty {
      page.parts.append(
        try HTMLPage.images(
          "Recovered triggers",
          Self.imageMeanings(imageFindings),
          triggers))
    }
    if let sizes = sizesCard { page.parts.append(sizes) }
    for finding in imageFindings { page.parts.append(Self.card(finding)) }
    if let textTower { page.parts.append(textTower.card) }
    page.parts.append(
      HTMLPage.table(
        "How this was made",
        fileRows + [
          ("version", version),
          ("targets searched for", targets.isEmpty ? "none" : targets.joined(separator: ", ")),
          (
            "p-values measured on",
            "images of \(calibration.measuredSizes.map(String.init).joined(separator: " and ")) pixels; this "
              + "model's are \(calibration.imageSize)"
          ),
          ("images", "\(images)\(imagesAreSynthetic ? ", synthetic" : "")"),
          ("left out", omissions.summary.isEmpty ? "nothing" : omissions.summary),
          ("steps at most", "\(options.search.steps)"),
          ("images a step", "\(options.search.batchSize)"), ("seed", "\(options.search.seed)"),
          ("precision", options.search.precision == .bf16 ? "bf16" : "f32"),
          ("p-value of the image tower", probability(pValue)),
          ("seconds", decimal(seconds, 1)),
        ]))
    return page.html
  }

  /// The files of the checkpoint, with their hashes.
  private var fileRows: [(String, String)] {
    files.flatMap { file in
      ["path", "sha256"].compactMap { key in file[key]?.string.map { ("file, " + key, $0) } }
    }
  }

  /// What the images of the recovered triggers show, as a sentence.
  private static func imageMeanings(_ findings: [TriggerFinding]) -> String {
    let kinds = TriggerKind.all.filter { kind in
      findings.contains { $0.kind == kind && $0.search.trigger != nil }
    }
    let text = kinds.map(\.imageMeaning).joined(separator: "; ")
    return text.prefix(1).uppercased() + text.dropFirst() + "."
  }

  /// The size of each finding on its references.
  private var sizesCard: String? {
    let rows = imageFindings.compactMap { finding in
      StripPlot.Row(
        finding.name, Double(finding.search.size),
        references: finding.reference.sizes.map(Double.init), mark: finding.verdict.mark)
    }
    guard !rows.isEmpty else { return nil }
    return HTMLPage.card(
      "Sizes of the searches",
      note:
        "A dot is the size of the smallest trigger that a search found, in units of the median of the "
        + "sizes that it is compared with, which are strokes. Far left of the strokes: a backdoor.",
      StripPlot(title: "Sizes of the searches", rows: rows).svg)
  }

  private static func card(_ finding: TriggerFinding) -> String {
    var rows = [
      ("verdict of this search", finding.verdict.rawValue),
      ("found", finding.search.trigger == nil ? "no" : "yes"),
      (finding.kind.sizeMeaning, significant(Double(finding.search.size))),
      (
        "compared with",
        finding.reference.sizes.count == 1
          ? "a size of \(finding.reference.source.meaning)"
          : "\(finding.reference.sizes.count) sizes of \(finding.reference.source.meaning)"
      ),
      ("p-value", probability(finding.pValue)),
      (
        "mean cosine of two held-out images, before and after",
        "\(decimal(Double(finding.cleanCollapse), 3)) and "
          + decimal(Double(finding.heldOutCollapse), 3)
      ),
    ]
    for (name, readout) in [("classes", finding.classes), ("nouns", finding.nouns)] {
      guard let readout else { continue }
      rows.append(
        (
          "predicted target, of the \(name)",
          readout.entries.prefix(5).map { "\($0.text) (\(decimal(Double($0.gain), 3)))" }
            .joined(separator: ", ")
        ))
      rows.append(("attack success rate on held-out images", percent(Double(readout.successRate))))
    }
    return HTMLPage.table("Search: \(finding.name)", rows)
  }
}
