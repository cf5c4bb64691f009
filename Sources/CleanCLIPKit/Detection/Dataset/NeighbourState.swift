/// What was measured of the neighbours of a dataset's points, kept in a folder so that a check that was
/// stopped resumes without them.
///
/// Each block is a file of its own, written at once. Blocks of other seeds and other plans have other names, so
/// that one folder serves several rankings.
struct NeighbourState {
  private static let kind = SavedStateKind(
    format: "cleanclip neighbour state 1", work: "check", name: "the state of a dataset check",
    inputs: "features")

  private let pieces: StatePieces
  private let identity: WorkIdentity
  private let scales: Int

  /// - Parameters:
  ///   - directory: where the blocks are.
  ///   - resume: whether to resume from what is there; otherwise it is removed.
  ///   - plan: the reference sets.
  ///   - features: what tells these features from others.
  /// - Throws: `io`.
  init(
    directory: String, resume: Bool, plan: ReferencePlan, features: String
  ) throws(CLIPError) {
    scales = plan.scales.count
    identity = WorkIdentity(inputs: ["features": features, "pairs": "\(plan.count)"])
    var fingerprint = Fingerprint()
    fingerprint.add(
      plan.scales.map { "\($0.k) of \($0.references), \($0.draws) times" }.joined(separator: "; ")
        + "; seed \(plan.seed)")
    pieces = try StatePieces(
      directory, named: StateFolder.neighbourFiles + fingerprint.text + "-", resume: resume)
  }

  private func number(_ rows: Range<Int>) -> Int { rows.lowerBound / FeatureRows.block }

  /// Keeps a block.
  ///
  /// - Throws: `io`.
  func record(_ block: [DensityLogs], _ rows: Range<Int>) throws(CLIPError) {
    let values = block.flatMap { $0.distances + $0.slofs + $0.daos }
    try Self.kind.write(
      [("statistics", try Tensor(values, [scales, 3, rows.count]))], ["range": "\(rows)"],
      identity: identity, to: pieces.path(number(rows)))
  }

  /// Returns a block that was kept; `nil` when there is none.
  ///
  /// - Throws: `state` when it is of other features, naming what differs; `format` when it is damaged.
  func piece(_ rows: Range<Int>) throws(CLIPError) -> [DensityLogs]? {
    guard let path = pieces.existing(number(rows)) else { return nil }
    let file = try Self.kind.read(path, identity: identity)
    let values = try file.tensor("statistics")
    guard file.metadata["range"] == "\(rows)", values.dtype == .f32,
      values.shape == [scales, 3, rows.count]
    else {
      throw Self.kind.damaged(path, "others", expected: "the neighbours of pairs \(rows)")
    }
    return (0..<scales).map { scale in
      func part(_ number: Int) -> [Float] {
        let start = values.f32 + (3 * scale + number) * rows.count
        return Array(UnsafeBufferPointer(start: start, count: rows.count))
      }
      var logs = DensityLogs()
      (logs.distances, logs.slofs, logs.daos) = (part(0), part(1), part(2))
      return logs
    }
  }
}
