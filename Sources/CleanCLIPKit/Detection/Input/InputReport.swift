internal import Glibc

/// What is concluded of a set of images, for machines and people.
package struct InputReport: CheckResult {
  package let keys: [String]
  package let findings: [InputFinding]
  package let threshold: ConformalThreshold
  /// Whether the images are of another kind than the bank's; `nil` when that was not asked.
  package let shift: InputShift?
  /// What was not judged, by reason.
  package let omissions: Omissions
  /// What may be left out under a clean verdict, of all images.
  package let unreadLimit: UnreadLimit

  /// - Parameters:
  ///   - keys: names of the images.
  ///   - findings: of the same images.
  ///   - shift: of the same images.
  ///   - omissions: what was not judged.
  ///   - unreadLimit: see the property.
  package init(
    keys: [String], findings: [InputFinding], threshold: ConformalThreshold,
    shift: InputShift? = nil, omissions: Omissions = Omissions(),
    unreadLimit: UnreadLimit = Self.noneUnread
  ) {
    self.omissions = omissions
    self.unreadLimit = unreadLimit
    precondition(keys.count == findings.count, "one finding for each image")
    self.keys = keys
    self.findings = findings
    self.threshold = threshold
    self.shift = shift
  }

  /// Judges images by their features; they are called by their numbers, from 0.
  ///
  /// - Parameter features: `[m, E]`, unnormalized.
  /// - Throws: as `InputCheck.findings`.
  package init(_ features: Tensor, by check: InputCheck) throws(CLIPError) {
    let findings = try check.findings(features)
    self.init(
      keys: findings.indices.map(String.init), findings: findings, threshold: check.threshold,
      shift: try check.shift(of: features, findings))
  }

  /// The limit that is meant when none is given: nothing, because each image counts.
  package static let noneUnread = UnreadLimit(0)

  /// The number of images above the threshold.
  package var flagged: Int { findings.count(where: \.isFlagged) }

  /// The probability of as many false alarms among clean images, that the bank is a sample counted
  /// in.
  package var pValue: Double { threshold.pValue(flagged: flagged, of: findings.count) }

  /// The verdict on the set: the promised rate alone flags some of many clean images, and of images unlike
  /// the bank's any number.
  package var verdict: Verdict {
    guard !findings.isEmpty else { return .cannotTell }
    let verdict = Verdict(pValue: pValue)
    if verdict != .clean, isExplainedByShift { return .cannotTell }
    let unread = omissions.unread
    let isTooMuch = unreadLimit.isExceeded(by: unread, of: findings.count + unread)
    return verdict == .clean && isTooMuch ? .cannotTell : verdict
  }

  /// Whether flagged images need no trigger to be flagged.
  private var isExplainedByShift: Bool { shift.map { $0.isFound && !$0.flaggedAreAlike } ?? false }

  /// Why, in a paragraph for people who do not know the method.
  package var explanation: String {
    var unread = ""
    if omissions.unread > 0 { unread = "Not judged: \(omissions.summary). " }
    guard !findings.isEmpty else { return unread + "There are no images to judge." }
    let expected = threshold.falseAlarmRate * Double(findings.count)
    var text =
      unread + "\(flagged) of \(findings.count) images are flagged; of as many clean ones, about "
      + "\(decimal(expected, 1)) would be, because \(decimal(threshold.falseAlarmRate * 100, 1)) % "
      + "false alarms were allowed."
    switch verdict {
    case .cannotTell where Verdict(pValue: pValue) != .clean:
      text += " That is more than chance gives."
    case .clean, .cannotTell: text += " That is no more than chance gives."
    case .suspicious, .backdoored:
      text +=
        " That is more than chance gives. A flagged image is one that the model sees unlike the "
        + "clean images of the bank: it may carry a trigger, or show something the bank lacks."
    }
    return text + shifted
  }

  /// What a shift has to do with the alarms; nothing where there are no more than were promised.
  private var shifted: String {
    guard let shift, shift.isFound, Verdict(pValue: pValue) != .clean else { return "" }
    var text =
      " The images are of another kind than the bank's: "
      + (shift.flagged.value > 0.5
        ? "most are flagged"
        : "of those that are not flagged, \(percent(shift.farther.value)) are farther from it than half of "
          + "its own")
    if isExplainedByShift {
      text +=
        ", and the flagged ones are not alike, as a trigger would make them. This says nothing of triggers"
    }
    return text + ". Extend the bank by images of this kind that you trust, or make it anew."
  }

  /// The report for machines.
  package var json: JSONValue {
    [
      "check": "input", "verdict": .string(verdict.rawValue), "p_value": .number(pValue),
      "explanation": .string(explanation), "threshold": .number(Double(threshold.value)),
      "false_alarm_rate": .number(threshold.falseAlarmRate),
      "bank_images": .integer(threshold.samples), "flagged": .integer(flagged),
      "shift": shift?.json ?? .null,
      "unread": .integer(omissions.unread), "left_out": omissions.json,
      "images": .array(zip(keys, findings).map { $1.json(key: $0) }),
    ]
  }

  package var scores: [Float] { findings.map(\.score) }

  package func page(subject: String, version: String) throws(CLIPError) -> String {
    try html(model: subject, version: version) { (_) throws(CLIPError) in
      throw CLIPError(.notFound, "check input: images are not kept; expected their features alone")
    }
  }

  private var headline: String {
    if isExplainedByShift { return "The images are of another kind than the bank's" }
    return verdict == .clean ? "No more alarms than chance gives" : "Images stand out"
  }

  /// The report as one self-contained page.
  ///
  /// - Parameters:
  ///   - model: what the checkpoint is called.
  ///   - version: of the program.
  ///   - count: images shown at most, those of the highest scores.
  ///   - image: returns an image by its index; those that throw are left out.
  /// - Throws: `internal`, `outOfMemory` when an image cannot be encoded.
  package func html(
    model: String, version: String, count: Int = 60, image: (Int) throws(CLIPError) -> RGBImage
  ) throws(CLIPError) -> String {
    var page = HTMLPage(
      title: "Trigger check of images", subtitle: model, verdict: verdict,
      explanation: explanation,
      headline: headline)
    var shown: [(image: RGBImage, caption: String)] = []
    for index in Ranking.descending(findings.map(\.score)).prefix(count) {
      guard let image = try? image(index) else { continue }
      let finding = findings[index]
      shown.append(
        (
          try image.fitted(within: 112),
          "\(finding.isFlagged ? "flagged" : "passed") \(keys[index]), score "
            + decimal(Double(finding.score), 2)
        ))
    }
    page.parts.append(
      try HTMLPage.images(
        "Most suspicious images",
        "Highest scores first; flagged above "
          + decimal(Double(threshold.value), 2) + ".", shown))
    page.parts.append(
      HTMLPage.table(
        "How this was made",
        [
          ("version", version), ("images", "\(findings.count)"), ("flagged", "\(flagged)"),
          ("clean images in the bank", "\(threshold.samples)"),
          ("promised false-alarm rate", "\(decimal(threshold.falseAlarmRate * 100, 2)) %"),
          ("p-value of the number flagged", probability(pValue)),
        ]))
    return page.html
  }
}
