internal import ArgumentParser
internal import CleanCLIPKit

/// The `cleanclip` tool.
@main
struct CleanCLIPCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cleanclip",
    abstract: "Sanitize poisoned CLIP checkpoints.",
    discussion: """
      MODEL is an ONNX or safetensors file, or VISUAL.onnx,TEXTUAL.onnx. Results go to standard \
      output (as JSON with --json), progress and errors to standard error.

      Exit codes: 0 done, 1 failed, 64 wrong command line, 65 a file is broken or not supported, \
      66 a file is not there, 70 a mistake in the program, 71 out of memory, 74 reading or writing \
      failed, 130 cancelled with Ctrl-C (training saves what --resume needs when --state-directory is given).
      """,
    version: version,
    subcommands: [
      InspectCommand.self, EmbedCommand.self, EvaluateCommand.self, SanitizeCommand.self,
      CheckCommand.self, PoisonCommand.self, TrainCommand.self, ReportCommand.self,
      BenchCommand.self, BenchCheckCommand.self,
    ])

  /// The version of tool and library.
  static let version = "0.1.0"
}
