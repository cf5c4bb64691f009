internal import Glibc

/// Options on the data that a model is cleaned with.
package struct CleaningSetOptions: Equatable, Sendable {
  /// Whether pairs are checked before a model learns from them, and suspects left out.
  package var checksData = true
  /// A `RowList` of suspects, which are left out in place of those of a check; `nil` for none.
  package var suspects: String?

  package init() {}
}

extension OptionRule<SanitizeOptions> {
  static let checkData = OptionRule("check_data", \.cleaningSet.checksData)
  static let suspects = OptionRule("suspects", \.cleaningSet.suspects, isSetting: false)
  static let ofCleaningSet = [checkData, suspects]
}

/// The data that a model is cleaned with, without the pairs that are taken for poisoned.
///
/// Poison among the cleaning pairs keeps the backdoor that they shall remove: five pairs of 100,000 are
/// enough against CleanCLIP (Verma et al. 2023, arXiv:2311.14948). The model itself tells them, for it has
/// learned the trigger: their images lie apart from all others (`DatasetCheck`).
package struct CleaningSet {
  package let clean: PairDataset
  /// What was left out; `nil` for nothing.
  package let suspects: PairDataset?
  /// Its rows in the whole dataset, ascending.
  package let leftOut: [Int]
  /// What was found, for histories; empty when nothing was looked at.
  package let json: JSONObject

  /// Pairs below which there is nothing to compare with.
  package static let fewest = 500
  /// Robust standard deviations from which an image lies apart, whatever its caption says. Of clean pairs it
  /// costs about one in 2,000 (measured on CIFAR-10 with a poisoned ResNet).
  private static let apart: Float = 5
  /// Fraction of the pairs that are left out for lying apart, at most.
  private static let mostApart = 0.01
  /// Keys that a history names.
  private static let named = 100

  /// Takes the whole dataset, unlooked at.
  ///
  /// - Parameter json: says why, where a check was asked for.
  package init(_ dataset: PairDataset, json: JSONObject = JSONObject()) {
    clean = dataset
    suspects = nil
    leftOut = []
    self.json = json
  }

  /// Leaves rows out.
  ///
  /// - Parameters:
  ///   - rows: of the dataset, ascending.
  ///   - json: what led to them.
  /// - Throws: `invalidArgument` when nothing is left.
  private init(
    _ dataset: PairDataset, without rows: [Int], json: JSONObject
  ) throws(CLIPError) {
    let left = Set(rows)
    guard left.count < dataset.count else {
      throw CLIPError(
        .invalidArgument,
        "suspects: all \(dataset.count) rows are suspects; expected some that are not")
    }
    clean =
      left.isEmpty ? dataset : dataset.keeping((0..<dataset.count).filter { !left.contains($0) })
    suspects = left.isEmpty ? nil : dataset.keeping(rows)
    leftOut = rows
    var json = json
    json["left_out"] = .integer(rows.count)
    json["rows"] = .array(
      rows.prefix(Self.named).map { row in
        ["row": .integer(row), "key": .string(dataset.key(at: row))]
      })
    self.json = json
  }

  /// Whether a method's data is checked before it is used.
  static func isChecked(_ dataset: PairDataset, _ options: SanitizeOptions) -> Bool {
    isWanted(options) && dataset.count >= fewest
  }

  private static func isWanted(_ options: SanitizeOptions) -> Bool {
    options.method.options.contains { $0.name == OptionRule.checkData.name }
      && options.cleaningSet.checksData && options.cleaningSet.suspects == nil
  }

  /// Takes data that is not checked, without the user's suspects.
  ///
  /// - Throws: as `leavingOut`.
  static func unchecked(
    _ dataset: PairDataset, _ options: SanitizeOptions
  ) throws(CLIPError) -> CleaningSet {
    if let path = options.cleaningSet.suspects { return try leavingOut(path, of: dataset) }
    guard isWanted(options) else { return CleaningSet(dataset) }
    let reason =
      "the pairs are not checked: \(dataset.count) are too few to compare, which takes \(fewest)"
    return CleaningSet(dataset, json: ["source": "none", "explanation": .string(reason)])
  }

  /// Leaves out the user's suspects.
  ///
  /// - Parameter source: where the list comes from, for histories.
  /// - Throws: what `RowList.read` throws; `invalidArgument` when nothing is left.
  static func leavingOut(
    _ path: String, of dataset: PairDataset, source: String = "suspects"
  ) throws(CLIPError) -> CleaningSet {
    try CleaningSet(
      dataset, without: try RowList.read(path, of: dataset, mayBeEmpty: true),
      json: ["source": .string(source)])
  }

  /// Checks the pairs with the model that learned from poison, and leaves out what is conspicuous.
  ///
  /// - Parameter progress: called with what is done, and a name; `false` cancels.
  /// - Throws: `cancelled`; what reading and checking throw.
  static func checked(
    _ dataset: PairDataset, with model: CLIPModel, _ training: TrainingOptions,
    progress: (RunPhase) -> Bool
  ) throws(CLIPError) -> CleaningSet {
    var reader = DatasetReader(model: model)
    reader.precision = training.precision
    let features = try reader.read(dataset) { done in
      progress(RunPhase(name: "checking the pairs", done: done, total: dataset.count))
    }
    var check = DatasetCheck()
    check.options.seed = training.seed
    // What cannot be read is not learned from either.
    check.options.unread.allowed = Double(dataset.count)
    let result = try check.run(features) { fraction in
      progress(
        RunPhase(name: "comparing the pairs", done: Int(fraction * 1000), total: 1000))
    }
    let flagged = result.ranking.prefix(result.removed)
    let most = Int(mostApart * Double(result.pairs.count))
    let apart = result.ranking.prefix(most).filter { result.pairs[$0].score >= Self.apart }
    return try CleaningSet(
      dataset, without: Set(Array(flagged) + apart).map { result.rows[$0] }.sorted(),
      json: [
        "source": .string("check"), "verdict": .string(result.verdict.rawValue),
        "explanation": .string(result.explanation),
      ])
  }

  /// What a user should know; `nil` where nothing was to be looked at.
  var message: LogMessage? {
    let source = json["source"]?.string
    guard let suspects else {
      return switch source {
      case nil: nil
      case "none": json["explanation"]?.string.map { LogMessage(.info, $0) }
      case "suspects":
        LogMessage(
          .warning,
          "no pairs are left out: the list of suspects is empty, and the pairs are not checked")
      default:
        LogMessage(
          .info, "none of \(clean.count) pairs are left out: they were checked, and none lies apart"
        )
      }
    }
    let rest = "\(suspects.count) of \(suspects.count + clean.count) pairs are left out of the data"
    guard let verdict = json["verdict"]?.string else {
      return LogMessage(.info, rest + (source.map { ": \($0)" } ?? ""))
    }
    guard verdict != Verdict.clean.rawValue else {
      return LogMessage(.info, rest + ": their images lie apart from all others to this model")
    }
    return LogMessage(
      .warning, "\(rest), which looks poisoned: " + (json["explanation"]?.string ?? ""))
  }
}

// MARK: Other ranks, other times

extension CleaningSet {
  private static let fileName = "suspects.txt"

  /// Checks the pairs on rank 0, which tells the others: rounding must not divide them.
  ///
  /// What was found stands in the state directory, so that a run resumes with the same pairs elsewhere too.
  static func checked(
    _ dataset: PairDataset, with model: CLIPModel, _ training: TrainingOptions,
    over communicator: Communicator, progress: (RunPhase) -> Bool
  ) throws(CLIPError) -> CleaningSet {
    var own: CleaningSet?
    if communicator.rank == 0 {
      let path = training.stateDirectory.map { $0 + "/" + fileName }
      if let path, training.resume, access(path, F_OK) == 0 {
        own = try leavingOut(path, of: dataset, source: "check before the interruption")
      } else {
        let made = try checked(dataset, with: model, training, progress: progress)
        if let path { try made.save(to: path) }
        own = made
      }
    }
    let rows = try communicator.broadcast(own?.leftOut ?? [], for: .contents)
    if let own { return own }
    return try CleaningSet(
      dataset, without: rows, json: ["source": .string("rank 0")])
  }

  private func save(to path: String) throws(CLIPError) {
    guard let suspects else {
      unlink(path)
      return
    }
    if let folder = path.lastIndex(of: "/").map({ String(path[..<$0]) }) {
      try SavedStateKind.checkFolder(folder)
    }
    try AtomicFile.write(
      zip(leftOut, 0..<suspects.count).map { row, index in
        RowList.line(row: row, key: suspects.key(at: index))
      }.joined(), to: path)
  }
}
