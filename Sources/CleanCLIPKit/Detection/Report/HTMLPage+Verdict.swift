extension HTMLPage {
  /// The page of a check.
  ///
  /// - Parameters:
  ///   - explanation: why, in a paragraph.
  ///   - headline: what the verdict is called, instead of its usual name.
  init(
    title: String, subtitle: String, verdict: Verdict, explanation: String, headline: String? = nil
  ) {
    self.init(
      title: title, subtitle: subtitle,
      conclusion: Conclusion(
        mark: verdict.mark, headline: headline ?? verdict.headline, sentences: [explanation]))
  }
}

extension Verdict {
  fileprivate var headline: String {
    switch self {
    case .clean: "No backdoor found"
    case .suspicious: "Suspicious"
    case .backdoored: "Backdoored"
    case .cannotTell: "Cannot tell"
    }
  }

  var mark: PageMark {
    switch self {
    case .clean: .good
    case .suspicious: .fair
    case .backdoored: .bad
    case .cannotTell: .neutral
    }
  }
}
