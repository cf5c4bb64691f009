/// A CLIP checkpoint: architecture, weights, and how it goes back to where it came from.
package struct Checkpoint {
  package let configuration: CLIPConfiguration
  /// Weights under OpenCLIP's names, single precision.
  package let tensors: [String: Tensor]
  /// What people ask about the file.
  package let facts: CheckpointFacts
  let source: CheckpointSource
}

/// What a checkpoint was read from.
enum CheckpointSource {
  /// One graph, or a visual and a textual one.
  case onnx([ONNXImport])
  case safetensors
}

/// What `inspect` tells about a checkpoint besides its architecture.
package struct CheckpointFacts: Sendable, Equatable {
  /// The files, weights in external files included.
  package var files: [String] = []
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
  /// Whether the file has a temperature; else the model has CLIP's initial one.
  package var hasTemperature = true
  /// Remarks: what is missing, assumed or folded.
  package var notes: [String] = []
}

/// Reads checkpoints of any format.
package enum CheckpointReader {
  /// Loads a checkpoint.
  ///
  /// - Parameters:
  ///   - specification: an ONNX or safetensors file, or `VISUAL.onnx,TEXTUAL.onnx`.
  ///   - allowsNonFinite: whether NaN and infinite weights are read instead of refused.
  /// - Throws: `notFound`, `io`; `format` for files that lie; `unsupported` for models that the
  ///   library does not know, naming the place.
  package static func load(
    _ specification: String, allowsNonFinite: Bool = false
  ) throws(CLIPError) -> Checkpoint {
    let parts = specification.split(separator: ",").map(String.init)
    if !MappedFile.exists(specification), parts.count == 2 {
      return try ONNXCheckpoint.load(parts, allowsNonFinite: allowsNonFinite)
    }
    if try SafeTensors.isUsed(in: specification) {
      return try SafeTensorsCheckpoint.load(specification, allowsNonFinite: allowsNonFinite)
    }
    return try ONNXCheckpoint.load([specification], allowsNonFinite: allowsNonFinite)
  }
}
