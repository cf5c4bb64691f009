internal import Glibc

/// A folder that keeps the state of a piece of work: whose state is in it, and whether work that is
/// cancelled leaves something to resume from.
package struct StateFolder {
  static let trainingFile = "training-state.safetensors"
  static let unlearningFile = "unlearn-state.safetensors"
  static let modelCheckFile = "check-state.safetensors"
  /// What the names of the files of a dataset check begin with: of what was read, and of what was measured.
  static let pairFiles = "pairs-"
  static let neighbourFiles = "neighbours-"

  /// Whether a name is that of a file of some state.
  package static func hasFile(named name: some StringProtocol) -> Bool {
    [trainingFile, unlearningFile, modelCheckFile, pairFiles, neighbourFiles].contains {
      name.hasPrefix($0)
    }
  }

  /// What is kept.
  package enum Work {
    /// A method of sanitizing that trains with a `Trainer`, or training from scratch.
    case training(method: String)
    case unlearning
    case modelCheck
    case datasetCheck

    /// What the names of files begin with of which one is there as soon as there is something to resume
    /// from.
    fileprivate var beginnings: [String] {
      switch self {
      case .training: [StateFolder.trainingFile]
      case .unlearning: [StateFolder.unlearningFile, StateFolder.modelCheckFile]
      case .modelCheck: [StateFolder.modelCheckFile]
      case .datasetCheck: [StateFolder.pairFiles, StateFolder.neighbourFiles]
      }
    }

    /// What users call it.
    fileprivate var name: String {
      switch self {
      case .training(let method): "method \(method)"
      case .unlearning: "method unlearn"
      case .modelCheck: "check model"
      case .datasetCheck: "check data"
      }
    }
  }

  private let path: String?
  private let work: Work
  private let resume: Bool
  /// When each file was written that was there before the work.
  private let before: [String: String]

  /// - Parameter path: `nil` when nothing is kept.
  package init(_ path: String?, of work: Work, resume: Bool) {
    self.path = path
    self.work = work
    self.resume = resume
    before = Self.files(of: work, in: path)
  }

  /// Refuses to begin anew where the state of other work was to be resumed.
  ///
  /// - Throws: `state`, naming both.
  package func checkOwner() throws(CLIPError) {
    guard resume, let path else { return }
    func file(of work: Work) -> String? { Self.files(of: work, in: path).keys.min() }
    // The searches of unlearning are those of a check.
    let unlearning = access(path + "/" + StateFolder.unlearningFile, F_OK) == 0
    let isForeign: Bool
    if case .modelCheck = work { isForeign = unlearning } else { isForeign = false }
    guard isForeign || before.isEmpty else { return }
    let others: [Work] = [
      .training(method: Self.method(path)), unlearning ? .unlearning : .modelCheck, .datasetCheck,
    ]
    for other in others {
      guard let file = file(of: other) else { continue }
      throw CLIPError(
        .state,
        "'\(path)': has no state of \(work.name); expected one, or a folder without any, got that of "
          + "\(other.name), '\(file)'; name the folder of this \(work.name), or start without resume",
        savedState: .foreign)
    }
  }

  /// What a run that begins anew replaces, in a sentence for people; `nil` for nothing.
  package var replaced: String? {
    guard let path, !resume, !before.isEmpty else { return nil }
    return "the state of another run in '\(path)' is replaced; resume would go on with it"
  }

  /// Runs work, after `checkOwner`, and says of work that was cancelled whether there is something to resume
  /// from.
  package func running<Result>(
    _ body: () throws(CLIPError) -> Result
  ) throws(CLIPError) -> Result {
    try checkOwner()
    do throws(CLIPError) { return try body() } catch {
      guard let path, error.code == .cancelled else { throw error }
      let isSaved = Self.files(of: work, in: path).contains { name, written in
        resume || before[name] != written
      }
      guard isSaved else {
        throw CLIPError(
          .cancelled, error.message + "; nothing is saved in '\(path)' yet, start again")
      }
      throw CLIPError(
        .cancelled, error.message + "; resume from '\(path)'", savedState: .resumable)
    }
  }

  /// The method of a training state.
  private static func method(_ path: String) -> String {
    (try? SafeTensors.read(path + "/" + StateFolder.trainingFile))?.metadata["run.recipe"]
      ?? "cleanclip"
  }

  /// The files of work that are there, each with what tells it from those that had its name before.
  private static func files(of work: Work, in path: String?) -> [String: String] {
    guard let path, let directory = opendir(path) else { return [:] }
    defer { closedir(directory) }
    var files: [String: String] = [:]
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      var status = stat()
      guard work.beginnings.contains(where: name.hasPrefix), name.hasSuffix(".safetensors"),
        stat(path + "/" + name, &status) == 0
      else { continue }
      files[name] = "\(status.st_ino) \(status.st_mtim.tv_sec) \(status.st_mtim.tv_nsec)"
    }
    return files
  }
}
