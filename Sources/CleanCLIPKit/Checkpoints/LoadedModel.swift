internal import Glibc

/// A model together with where it came from, so that it can be written back in the same form.
package struct LoadedModel {
  package let model: CLIPModel
  /// What was found in the files; `nil` for a model that was made here.
  package let facts: CheckpointFacts?
  private let source: CheckpointSource?

  /// Wraps a model that was made here.
  package init(_ model: CLIPModel) {
    self.model = model
    facts = nil
    source = nil
  }

  private init(_ model: CLIPModel, facts: CheckpointFacts?, source: CheckpointSource?) {
    self.model = model
    self.facts = facts
    self.source = source
  }

  /// Loads a checkpoint: an ONNX or safetensors file, or `VISUAL.onnx,TEXTUAL.onnx`.
  ///
  /// - Parameter allowsNonFinite: whether NaN and infinite weights are accepted, for looking at a
  ///   broken checkpoint.
  /// - Throws: as `CheckpointReader.load`.
  package static func load(
    _ path: String, allowsNonFinite: Bool = false
  ) throws(CLIPError) -> LoadedModel {
    let checkpoint = try CheckpointReader.load(path, allowsNonFinite: allowsNonFinite)
    let model = try CLIPModel(
      checkpoint.configuration, tensors: checkpoint.tensors, allowsNonFinite: allowsNonFinite)
    return LoadedModel(model, facts: checkpoint.facts, source: checkpoint.source)
  }

  /// Returns an independent copy.
  package func copy() throws(CLIPError) -> LoadedModel {
    let copy = try CLIPModel(
      model.configuration, tensors: tensors, allowsNonFinite: true)
    return LoadedModel(copy, facts: facts, source: source)
  }

  /// The weights by OpenCLIP's names; they share memory with the model.
  private var tensors: [String: Tensor] {
    Dictionary(
      model.stateDict().map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
  }

  /// Checks that a model can be saved under a path, before the work of a run is spent.
  ///
  /// - Throws: `invalidArgument` for an unknown ending or another number of files; `notFound` or
  ///   `io` when the folder is not there or not writable.
  package func checkSaving(to path: String) throws(CLIPError) {
    for part in try parts(of: path) {
      let folder = part.lastIndex(of: "/").map { String(part[...$0]) } ?? "."
      guard access(folder, W_OK | X_OK) == 0 else {
        throw CLIPError.system(folder, "write into the folder")
      }
    }
  }

  /// The files of a path: one, or two of a model that came from two.
  private func parts(of path: String) throws(CLIPError) -> [String] {
    let parts = path.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let expected = fileCount
    guard parts.count == expected || parts.count == 1 else {
      throw CLIPError(
        .invalidArgument,
        "'\(path)': another number of files than the model has; expected \(expected), "
          + "got \(parts.count)")
    }
    for part in parts where !part.hasSuffix(".onnx") && !part.hasSuffix(".safetensors") {
      throw CLIPError(
        .invalidArgument,
        "'\(part)': unknown kind of checkpoint; expected a name that ends in .onnx or "
          + ".safetensors, got another")
    }
    return parts
  }

  private var fileCount: Int {
    if case .onnx(let imports)? = source { return imports.count }
    return 1
  }

  /// Saves the model.
  ///
  /// A name that ends in `.safetensors` gets OpenCLIP's names; one that ends in `.onnx` the graph
  /// that the model came from with its weights, or a fresh one when it came from elsewhere.
  ///
  /// - Throws: `invalidArgument` for another ending or number of files; `unsupported` when the graph
  ///   cannot hold the weights; `io`.
  package func save(to path: String) throws(CLIPError) {
    let parts = try parts(of: path)
    if parts.count == 1, path.hasSuffix(".safetensors") {
      try SafeTensors.write(model.stateDict(), metadata: ["format": "pt"], to: path)
      return
    }
    throw CLIPError(.unsupported, "'\(path)': ONNX files are not written; use .safetensors")
  }
}
