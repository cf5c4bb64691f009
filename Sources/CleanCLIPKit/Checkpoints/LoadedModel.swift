/// A model together with where it came from, so that it can be written back in the same form.
package struct LoadedModel {
  package let model: CLIPModel

  /// Wraps a model that was made here.
  package init(_ model: CLIPModel) { self.model = model }

  /// Loads a checkpoint: ONNX, safetensors, or "VISUAL.onnx,TEXTUAL.onnx".
  package static func load(_ path: String) throws(CLIPError) -> LoadedModel {
    throw CLIPError(.unsupported, "'\(path)': not yet")
  }

  /// Returns an independent copy.
  package func copy() throws(CLIPError) -> LoadedModel {
    let tensors = Dictionary(
      model.stateDict().map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
    return LoadedModel(
      try CLIPModel(model.configuration, tensors: tensors, allowsNonFinite: true))
  }

  /// Checks that a model can be saved under a path, before the work of a run is spent.
  package func checkSaving(to path: String) throws(CLIPError) {}

  /// Saves the model.
  package func save(to path: String) throws(CLIPError) {
    try SafeTensors.write(model.stateDict(), metadata: ["format": "pt"], to: path)
  }

  /// Describes the model.
  package func description() throws(CLIPError) -> JSONValue {
    ["embed_dim": .integer(model.configuration.embedDim)]
  }
}
