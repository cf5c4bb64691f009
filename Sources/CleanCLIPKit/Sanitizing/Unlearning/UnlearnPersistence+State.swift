extension UnlearnPersistence.Result {
  /// The member of a saved state that is there when this was measured.
  static let key = "persistence"

  /// The result for a saved state, which `init(members:of:)` reads.
  ///
  /// - Parameter evidence: of the run, among it the triggers that were measured.
  func members(of evidence: [TriggerEvidence]) -> [String: String] {
    var members = [Self.key: "\(steps) \(learningRate) \(benign.count) \(retuned.count)"]
    for (index, measured) in benign.enumerated() {
      let number = evidence.firstIndex { $0.entry.trigger === measured.entry.trigger } ?? 0
      members["\(Self.key).benign.\(index)"] =
        "\(number) \(text(measured.after)) \(text(measured.base))"
    }
    for (index, entry) in retuned.enumerated() {
      members["\(Self.key).retuned.\(index)"] =
        "\(entry.pairs) \(entry.steps) \(text(entry.old)) \(text(entry.new)) \(text(entry.base))"
    }
    return members
  }

  /// Reads what `members` wrote; `nil` for anything else.
  init?(members: [String: String], of evidence: [TriggerEvidence]) {
    func words(_ name: String) -> [Substring] { (members[name] ?? "").split(separator: " ") }
    func numbers(_ name: String, _ count: Int) -> [Int]? {
      let numbers = words(name).compactMap { Int($0) }
      return numbers.count == count && numbers.allSatisfy { (0..<1 << 40).contains($0) }
        ? numbers : nil
    }
    let head = words(Self.key)
    guard head.count == 4, let steps = Int(head[0]), let rate = Float(head[1]), rate.isFinite,
      let benignCount = Int(head[2]), let retunedCount = Int(head[3]),
      (0...evidence.count).contains(benignCount), (0...16).contains(retunedCount)
    else { return nil }
    var benign: [TriggerEvidence] = []
    for index in 0..<benignCount {
      guard let values = numbers("\(Self.key).benign.\(index)", 5),
        evidence.indices.contains(values[0]), values[1] <= values[2], values[3] <= values[4]
      else { return nil }
      var measured = evidence[values[0]]
      measured.after = Proportion(values[1], of: values[2])
      measured.base = Proportion(values[3], of: values[4])
      benign.append(measured)
    }
    var retuned: [UnlearnPersistence.Retuned] = []
    for index in 0..<retunedCount {
      guard let values = numbers("\(Self.key).retuned.\(index)", 8), values[2] <= values[3],
        values[4] <= values[5], values[6] <= values[7]
      else { return nil }
      retuned.append(
        UnlearnPersistence.Retuned(
          pairs: values[0], steps: values[1], old: Proportion(values[2], of: values[3]),
          new: Proportion(values[4], of: values[5]), base: Proportion(values[6], of: values[7])))
    }
    self.init(steps: steps, learningRate: rate, benign: benign, retuned: retuned)
  }

  private func text(_ rate: Proportion?) -> String {
    "\(rate?.successes ?? 0) \(rate?.total ?? 0)"
  }
}
