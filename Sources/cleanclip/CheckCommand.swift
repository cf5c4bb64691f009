internal import ArgumentParser
internal import CleanCLIPKit
internal import Glibc

/// `cleanclip check`.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Look for backdoors in a checkpoint, poison in data, triggers in images.",
    discussion: """
      Verdicts are clean, suspicious (one in twenty clean models shows as much), backdoored \
      (fewer than one in a hundred) and cannot_tell, also where more was left out of the data than a \
      clean verdict bears. With --gate, the exit code is 3 unless it is clean.
      """,
    subcommands: [CheckModelCommand.self, CheckDataCommand.self, CheckInputCommand.self])
}

/// Options of every check.
struct CheckOptions: ParsableArguments {
  @Option(name: .long, help: "Write a self-contained page, .html.")
  var report: String?

  @Flag(name: .long, help: "End with exit code 3 unless the verdict is clean.")
  var gate = false

  @Option(name: .long, help: "Element type of activations: f32, bf16 or auto.")
  var precision = PrecisionArgument.f32

  func validate() throws {
    guard let report, !report.hasSuffix(".html") else { return }
    throw ValidationError("--report is of an unknown kind; expected .html, got '\(report)'")
  }

  /// The exit code of a verdict.
  func exit(_ verdict: Verdict) throws {
    if gate && verdict != .clean { throw ExitCode(3) }
  }
}

/// Where a check is kept that may be stopped.
struct StateOptions: ParsableArguments {
  @Option(name: .long, help: "A folder for what is finished, to resume from; none by default.")
  var stateDirectory: String?

  @Flag(
    name: .long,
    help: """
      Resume from the state in --state-directory, if there is one; that of another model, other data or \
      other options that searches or features depend on is refused.
      """)
  var resume = false

  /// Runs a check; when it is cancelled and can be resumed, says how.
  func hinting<Result>(_ check: () throws(CLIPError) -> Result) throws(CLIPError) -> Result {
    do throws(CLIPError) { return try check() } catch { throw error.hinting(stateDirectory) }
  }
}

extension CLIPError {
  /// Adds the options that continue work which was cancelled and can be resumed.
  func hinting(_ stateDirectory: String?) -> CLIPError {
    guard savedState == .resumable, let stateDirectory else { return self }
    return CLIPError(
      code, message + " with --resume --state-directory \(stateDirectory)", savedState: savedState)
  }
}

/// Features of classes in place of prompts.
struct ClassFeatureOption: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      "Features of --classes in place of prompts, as for learned prompts: float [classes, E].",
      valueName: "file.npy"))
  var classFeatures: String?

  /// The file that is given.
  var files: [String] { [classFeatures].compactMap(\.self) }

  /// Refuses features without names, before anything is read.
  func validate(besides texts: ClassArguments) throws {
    guard classFeatures != nil else { return }
    guard texts.classes != nil else {
      throw ValidationError("--class-features are rows for classes; give --classes too")
    }
    guard texts.templates == nil else {
      throw ValidationError(
        "--templates have no effect with --class-features, which are taken as they are; give one of them"
      )
    }
  }

  func load() throws(CLIPError) -> Tensor? {
    try classFeatures.map { (path) throws(CLIPError) in try NumPyFile.read(path) }
  }
}

/// Classes and prompts.
struct ClassArguments: ParsableArguments {
  @Option(name: .long, help: "A file with a class name on each line.")
  var classes: String?

  @Option(name: .long, help: "A file with a prompt with {} on each line.")
  var templates: String?

  func validate() throws {
    guard templates == nil || classes != nil else {
      throw ValidationError("--templates are prompts for classes; give --classes too")
    }
  }

  /// The files that are given.
  var files: [String] { [classes, templates].compactMap(\.self) }

  /// Class names and prompts, of which there may be none.
  func load() throws(CLIPError) -> (classes: [String], templates: [PromptTemplate])? {
    guard let classes else { return nil }
    return (
      try TextList.classes(path: classes),
      try templates.map { (path) throws(CLIPError) in try TextList.templates(path: path) } ?? []
    )
  }
}
