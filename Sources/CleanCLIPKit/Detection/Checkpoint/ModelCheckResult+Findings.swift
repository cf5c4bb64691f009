internal import Glibc

extension ModelCheckResult: CheckResult {
  /// The findings of the image tower, then the word of the text tower.
  package var findings: [Finding] {
    imageFindings.map { $0.finding(seed: options.search.seed) }
      + (textTower.map { [$0.finding] } ?? [])
  }

  package func page(subject: String, version: String) throws(CLIPError) -> String {
    try html(model: subject, version: version)
  }

  /// Writes each recovered trigger as `KIND.safetensors`, or `KIND-TARGET.safetensors` when it was
  /// searched for a class, and an image of it beside that.
  ///
  /// - Parameter folder: made if there is none.
  /// - Returns: the paths of the safetensors files.
  /// - Throws: `io`.
  package func saveTriggers(to folder: String) throws(CLIPError) -> [String] {
    if mkdir(folder, 0o777) != 0 && errno != EEXIST {
      throw CLIPError.system(folder, "make the folder")
    }
    var paths: [String] = []
    for finding in findings {
      guard let trigger = finding.trigger else { continue }
      let target = finding.target.map { "-" + Self.fileName(of: $0) } ?? ""
      let path = "\(folder)/\(finding.kind)\(target).safetensors"
      try trigger.save(to: path)
      paths.append(path)
    }
    return paths
  }

  /// A class as a part of a file's name: of letters, digits and hyphens.
  private static func fileName(of target: String) -> String {
    let name = String(
      target.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }.prefix(60))
    return name.isEmpty ? "class" : name
  }
}

extension TriggerFinding {
  /// - Parameter seed: of the check.
  func finding(seed: UInt64) -> Finding {
    let readout = classes ?? nouns
    return Finding(
      kind: kind.name, target: target, size: search.size, sizeMeaning: kind.sizeMeaning,
      reference: reference, pValue: pValue, verdict: verdict,
      trigger: search.trigger.map {
        Trigger(recovered: $0, provenance: provenance(seed: seed))
      },
      word: nil, predictedTarget: readout?.entries.first?.text,
      attackSuccessRate: readout?.successRate)
  }

  private func provenance(seed: UInt64) -> String {
    let goal = target.map { "towards '\($0)'" } ?? "untargeted"
    return "found by a check of a model, \(goal), p-value \(significant(pValue)), seed \(seed)"
  }
}

extension TextCheckResult {
  var finding: Finding {
    Finding(
      kind: strongest.trigger.kind.rawValue, target: nil, size: strongest.size,
      sizeMeaning: Self.sizeMeaning, reference: strongest.reference, pValue: pValue,
      verdict: verdict, trigger: nil, word: strongest.text.isEmpty ? nil : strongest.text,
      predictedTarget: targets.first?.text, attackSuccessRate: nil)
  }
}
