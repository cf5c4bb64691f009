internal import ArgumentParser
internal import CleanCLIPKit
internal import Glibc

/// Converts a CLIP from ONNX to safetensors.
struct ONNXImportTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "onnx-import",
    abstract: "Convert a CLIP from ONNX to safetensors.",
    discussion: """
      The graph is recognised by its structure, whatever exporter wrote it. Weights get OpenCLIP's \
      names and layouts in single precision; the architecture goes into the file's metadata, and \
      beside a file called open_clip_model.safetensors (or model.safetensors, with Hugging Face's \
      names) into the configuration that those libraries read.

      Exit codes: 0 success, 1 features differ from the golden file, 64 wrong use, 65 the graph is \
      not a CLIP that the library supports or the file lies, 66 a file is missing, 74 a file \
      cannot be read or written.
      """)

  @Argument(help: "The graph: whole, or its image tower, or its text tower.")
  var input: String

  @Argument(help: "The text tower, when it is in a file of its own.")
  var textInput: String?

  @Option(name: .shortAndLong, help: "The safetensors file to write.")
  var output: String

  @Option(
    help: ArgumentHelp(
      "Compare the features with a safetensors file of inputs and features.", valueName: "golden"))
  var verify: String?

  @Option(help: "Names of the tensors: openclip or huggingface; by default by the file's name.")
  var names: TensorNames?

  @Option(help: "The largest difference of unit-length features that --verify accepts.")
  var tolerance: Double = 2e-5

  func validate() throws {
    guard output.hasSuffix(".safetensors") else {
      throw ValidationError("-o has an unknown ending; expected *.safetensors, got '\(output)'")
    }
    guard tolerance > 0 else {
      throw ValidationError("--tolerance is not positive; expected a number above 0")
    }
  }

  func run() throws {
    do throws(CLIPError) {
      let specification = textInput.map { input + "," + $0 } ?? input
      let loaded = try LoadedModel.load(specification)
      print(Summary.text(loaded))
      if let names {
        try loaded.export(to: output, names: names)
      } else {
        try loaded.save(to: output)
      }
      print("wrote \(output)")
      guard let verify else { return }
      let lines = try Verification(golden: verify).compare(
        loaded.model, hasTemperature: loaded.facts?.hasTemperature ?? true)
      var isWithin = true
      for line in lines {
        isWithin = isWithin && line.difference <= tolerance
        print("\(line.name): largest difference \(line.difference)")
      }
      guard isWithin else {
        writeError("onnx-import: features differ; expected at most \(tolerance)\n")
        Glibc.exit(1)
      }
    } catch {
      writeError("onnx-import: \(error.message)\n")
      throw ExitCode(Self.exitCode(of: error.code))
    }
  }

  private static func exitCode(of code: CLIPError.Code) -> Int32 {
    switch code {
    case .invalidArgument: EX_USAGE
    case .shape, .format, .unsupported: EX_DATAERR
    case .notFound: EX_NOINPUT
    case .io: EX_IOERR
    case .outOfMemory: EX_OSERR
    case .state, .cancelled, .internal: EX_SOFTWARE
    }
  }

  private func writeError(_ text: String) {
    _ = Array(text.utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

extension TensorNames: ExpressibleByArgument {}

ONNXImportTool.main()
