/// A model together with where it came from, so that it can be written back in the same form.
package struct LoadedModel {
  package let model: CLIPModel
  /// What is known of the files; `nil` for a model that was made here.
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

  /// Loads a checkpoint: ONNX, safetensors, a folder, or "VISUAL.onnx,TEXTUAL.onnx".
  ///
  /// - Parameters:
  ///   - preprocessing: JSON or the path of a file, in place of what lies beside the checkpoint.
  ///   - allowsNonFinite: whether NaN and infinite weights are read instead of refused.
  /// - Throws: as `CheckpointReader.open`.
  package static func load(
    _ path: String, preprocessing: String? = nil, allowsNonFinite: Bool = false
  ) throws(CLIPError) -> LoadedModel {
    let (checkpoint, source) = try CheckpointReader.open(
      path, preprocessing: preprocessing, allowsNonFinite: allowsNonFinite)
    return try LoadedModel(checkpoint, source, allowsNonFinite)
  }

  /// Loads a checkpoint from files in memory, which it keeps as long as it is there: ONNX or safetensors, or
  /// the graphs of the two towers.
  ///
  /// - Parameters: as the other `load`.
  /// - Throws: as `CheckpointReader.open`.
  package static func load(
    _ parts: [MemoryFile], preprocessing: String? = nil, allowsNonFinite: Bool = false
  ) throws(CLIPError) -> LoadedModel {
    let (checkpoint, source) = try CheckpointReader.open(
      parts, preprocessing: preprocessing, allowsNonFinite: allowsNonFinite)
    return try LoadedModel(checkpoint, source, allowsNonFinite)
  }

  private init(
    _ checkpoint: Checkpoint, _ source: CheckpointSource, _ allowsNonFinite: Bool
  ) throws(CLIPError) {
    self.init(
      try CLIPModel(
        checkpoint.configuration, adopting: checkpoint.tensors, allowsNonFinite: allowsNonFinite),
      facts: checkpoint.facts, source: source)
  }

  /// Returns an independent copy of the model; both are written back to the same kind of file.
  package func copy() throws(CLIPError) -> LoadedModel {
    LoadedModel(
      try CLIPModel(model.configuration, tensors: stateDict, allowsNonFinite: true),
      facts: facts, source: source)
  }

  private var stateDict: [String: Tensor] {
    Dictionary(
      model.stateDict().map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
  }

  /// Checks that a model can be saved under a path, before the work of a run is spent.
  ///
  /// - Throws: `unsupported` for an unknown ending, or weights that the graph cannot take; `io` or
  ///   `notFound` for a file that cannot be written.
  package func checkSaving(to path: String) throws(CLIPError) {
    let target = try CheckpointTarget(path, source: source)
    try target.check()
    for path in target.paths { try AtomicFile.check(path) }
  }

  /// Saves the model: into a copy of the graph that it came from, as a new graph, or as
  /// safetensors, by the path's ending and the model's origin.
  ///
  /// - Parameter path: `*.onnx`, `*.safetensors`, or `VISUAL.onnx,TEXTUAL.onnx`.
  /// - Throws: `unsupported` for an unknown ending, or weights that the graph cannot hold; `io`.
  package func save(to path: String) throws(CLIPError) {
    try CheckpointTarget(path, source: source).write(model.configuration, stateDict)
  }

  /// Writes the model to memory as `save` writes it to a file.
  ///
  /// - Parameter name: what messages call the result.
  /// - Throws: as `save`, and `unsupported` for what would be more than one file.
  package func saved(as form: CheckpointForm, name: String) throws(CLIPError) -> MemoryFile {
    let memory = try MemoryFile(name: name)
    try CheckpointTarget(form, in: memory, source: source).write(model.configuration, stateDict)
    return memory
  }

  /// Saves the model as `save` does. When that fails after the work is done, the weights go to a
  /// safetensors file beside the path, which needs nothing of the file that the model came from.
  ///
  /// - Throws: what `save` throws, naming the file that has the weights.
  package func saveOrRescue(to path: String) throws(CLIPError) {
    do throws(CLIPError) { try save(to: path) } catch {
      guard let rescue = Self.rescuePath(path) else { throw error }
      let failure = error
      do throws(CLIPError) { try save(to: rescue) } catch { throw failure }
      throw CLIPError(failure.code, failure.message + "; the weights are in '\(rescue)'")
    }
  }

  /// A path that no file has yet; `nil` when a safetensors file has failed itself.
  private static func rescuePath(_ path: String) -> String? {
    let path = (try? ModelPaths.split(path).first) ?? path
    guard path.hasSuffix(".onnx") else { return nil }
    let base = path.dropLast(".onnx".count)
    let names = ["rescued"] + (2...99).map { "rescued-\($0)" }
    return names.map { "\(base).\($0).safetensors" }.first { !FileContents.exists($0) }
  }

  /// Saves the model as a new graph (`*.onnx`) or as safetensors, with the names that are asked for.
  ///
  /// - Throws: `unsupported` for an unknown ending and for a ResNet under Hugging Face's names in
  ///   safetensors; `io`.
  package func export(to path: String, names: TensorNames) throws(CLIPError) {
    let target: CheckpointTarget
    if path.hasSuffix(".onnx") {
      target = .freshGraph(.path(path), names == .openCLIP ? .openCLIP : .huggingFace)
    } else if path.hasSuffix(".safetensors") {
      target = .safetensors(.path(path), names)
    } else {
      throw CLIPError(
        .unsupported,
        "'\(path)': unknown kind of checkpoint; expected a name that ends with .onnx or "
          + ".safetensors")
    }
    try target.write(model.configuration, stateDict)
  }

  /// Describes the model and its file: what `cleanclip inspect` prints.
  ///
  /// - Throws: `io` when a file cannot be read for its checksum.
  package func description() throws(CLIPError) -> JSONValue {
    try CheckpointDescription(model, facts).json()
  }

  /// Path, size and SHA-256 of each file; none of a model that was made here.
  ///
  /// - Throws: `io` when a file cannot be read for its checksum.
  package func files() throws(CLIPError) -> [JSONValue] { try facts?.describedFiles() ?? [] }
}
