internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// The `cleanclip` tool.
@main
struct CleanCLIPCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cleanclip",
    abstract: "Sanitize poisoned CLIP checkpoints.",
    discussion: """
      MODEL is an ONNX or safetensors file, or VISUAL.onnx,TEXTUAL.onnx. Results go to standard \
      output (as JSON with --json), progress and errors to standard error. Outputs are tried before \
      the work; when one fails after it, the others are written and the exit code is 74.

      \(ExitStatus.help)
      """,
    version: libraryVersion,
    subcommands: [
      InspectCommand.self, EmbedCommand.self, EvaluateCommand.self, EvaluateRetrievalCommand.self,
      SanitizeCommand.self, CheckCommand.self, PoisonCommand.self, OptimizeTriggerCommand.self,
      TrainCommand.self,
      ReportCommand.self, BenchCommand.self, BenchCheckCommand.self,
    ])

  static func main() { runAsTool() }
}
