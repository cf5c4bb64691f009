internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// Converts a CLIP from ONNX to safetensors, or writes it as a new graph.
struct ONNXImportTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "onnx-import",
    abstract: "Convert a CLIP from ONNX to safetensors, or into a new graph.",
    discussion: """
      The graph is recognised by its structure, whatever exporter wrote it. Weights get OpenCLIP's \
      names and layouts in single precision; the architecture goes into the file's metadata, and \
      beside a file called open_clip_model.safetensors (or model.safetensors, with Hugging Face's \
      names) into the configuration that those libraries read. An output that ends in .onnx is a new \
      graph with inputs and outputs of those names.

      \(ExitStatus.help) Features that differ from the golden file are a failure.
      """,
    version: libraryVersion)

  @Argument(help: "The graph: whole, or its image tower, or its text tower.")
  var input: String

  @Argument(help: "The text tower, when it is in a file of its own.")
  var textInput: String?

  @Option(name: .shortAndLong, help: "The .safetensors or .onnx file to write.")
  var output: String

  @Option(
    help: ArgumentHelp(
      "Compare the features with a safetensors file of inputs and features.", valueName: "golden"))
  var verify: String?

  @Option(
    help: """
      Names of the tensors, or of a graph's inputs and outputs: openclip or huggingface; by \
      default by the file's name.
      """)
  var names: TensorNames?

  @Option(
    help: """
      The largest difference of L2-normalized features that --verify accepts, a number above 0; by \
      default \(Self.defaultTolerance).
      """)
  var tolerance: Double?

  private static let defaultTolerance = 2e-5

  func validate() throws {
    guard output.hasSuffix(".safetensors") || output.hasSuffix(".onnx") else {
      throw ValidationError(
        "-o has an unknown ending; expected *.safetensors or *.onnx, got '\(output)'")
    }
    if let tolerance {
      guard tolerance > 0, tolerance.isFinite else {
        throw ValidationError(
          "--tolerance is not positive; expected a number above 0, got \(tolerance)")
      }
      guard verify != nil else {
        throw ValidationError("--tolerance needs --verify, whose differences it bounds")
      }
    }
  }

  func run() throws {
    try Outputs.check(output)
    try Outputs.keep([input, textInput, verify].compactMap(\.self), from: output)
    let loaded = try LoadedModel.load(textInput.map { input + "," + $0 } ?? input)
    var outputs = Outputs()
    outputs.write { () throws(CLIPError) in try printResult(Summary.text(loaded)) }
    if let names = names ?? (output.hasSuffix(".onnx") ? .openCLIP : nil) {
      try loaded.export(to: output, names: names)
    } else {
      try loaded.save(to: output)
    }
    outputs.write { () throws(CLIPError) in try printResult("wrote \(output)") }
    if let verify { try compare(loaded, golden: verify, &outputs) }
    try outputs.finish()
  }

  private func compare(
    _ loaded: LoadedModel, golden: String, _ outputs: inout Outputs
  ) throws(CLIPError) {
    let tolerance = tolerance ?? Self.defaultTolerance
    let lines = try Verification(golden: golden).compare(
      loaded.model, hasTemperature: loaded.facts?.hasTemperature ?? true)
    outputs.write { () throws(CLIPError) in
      try printResult(
        lines.map { "\($0.name): largest difference \($0.difference)" }.joined(separator: "\n"))
    }
    guard let worst = lines.map(\.difference).max(), worst <= tolerance else {
      throw CLIPError(
        .state,
        "'\(golden)': features differ; expected at most \(tolerance), got "
          + "\(lines.map(\.difference).max() ?? .infinity)")
    }
  }
}

extension TensorNames: ExpressibleByArgument {}

ONNXImportTool.runAsTool()
