internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip inspect`.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Tell what a checkpoint is.")

  @OptionGroup var model: ModelFile
  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.apply()
    let description = try LoadedModel.load(
      model.path, preprocessing: model.images.preprocessing, allowsNonFinite: true
    ).description()
    try printResult(
      common.json
        ? description.serialized(pretty: true)
        : outline(description, indent: 0).joined(separator: "\n"))
  }

  /// The members of a JSON object, one a line, inner objects indented.
  private func outline(_ value: JSONValue, indent: Int) -> [String] {
    guard let object = value.object else { return [value.serialized()] }
    let margin = String(repeating: " ", count: indent)
    return object.flatMap { (key, value) -> [String] in
      let name = key.split(separator: "_").joined(separator: " ").printable()
      if value.object != nil {
        return ["\(margin)\(name)"] + outline(value, indent: indent + 2)
      }
      if let elements = value.array, elements.contains(where: { $0.object != nil }) {
        return ["\(margin)\(name)"]
          + elements.flatMap { element in
            ["\(margin)  - " + inline(element)]
          }
      }
      return ["\(margin)\((name + ":").padded(to: 22)) \(inline(value))"]
    }
  }

  private func inline(_ value: JSONValue) -> String {
    if let string = value.string { return string.printable() }
    if let bool = value.bool { return bool ? "yes" : "no" }
    if let elements = value.array { return elements.map(inline).joined(separator: ", ") }
    if let object = value.object {
      return object.map { "\($0.key) \(inline($0.value))" }.joined(separator: ", ")
    }
    return value == .null ? "-" : value.serialized()
  }
}

/// A model alone, without words.
struct ModelFile: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "An ONNX or safetensors file, a folder with one, or VISUAL.onnx,TEXTUAL.onnx.",
      valueName: "model"))
  var path: String

  @OptionGroup var images: PreprocessingOptions
}
