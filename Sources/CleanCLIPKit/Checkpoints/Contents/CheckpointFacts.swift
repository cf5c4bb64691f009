/// A file that a checkpoint was read from.
package struct SourceFile: Sendable, Equatable {
  package let path: String
  /// What tells whether it is still the same.
  let stamp: FileStamp
  /// Whether it was bytes of the host's, of which nothing is left outside of the model.
  let isInMemory: Bool

  init(_ file: InputFile) {
    path = file.path
    stamp = file.stamp
    isInMemory = file.folder == nil
  }
}

/// What `inspect` tells about a checkpoint besides its architecture.
package struct CheckpointFacts: Sendable, Equatable {
  /// The files, weights in external files included.
  package var files: [SourceFile] = []
  /// "ONNX" or "safetensors".
  package var format = ""
  /// The program that wrote the file, with its version; empty when unknown.
  package var producer = ""
  package var irVersion: Int?
  package var opset: Int?
  package var nodes: Int?
  package var inputs: [String] = []
  package var outputs: [String] = []
  /// What each output of a graph is.
  package var outputKinds: [String: String] = [:]
  /// Element types of the weights in the file.
  package var elementTypes: [String] = []
  /// Weights that share one tensor of the graph and get tensors of their own when they differ.
  package var sharedTensors = 0
  /// Weights that cannot be written back when they change, with the reason.
  package var fixedParameters: [String: String] = [:]
  /// Who says how images are prepared; empty without an image tower.
  package var preprocessingSource = ""
  /// Whether the file has a temperature; else the model has CLIP's initial one.
  package var hasTemperature = true
  /// Remarks: what is missing, assumed or folded.
  package var notes: [String] = []
}
