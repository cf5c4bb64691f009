/// What a checkpoint was read from, and goes back to.
enum CheckpointSource {
  /// One graph, or a visual and a textual one.
  case onnx([ONNXImport])
  case safetensors
}

/// Reads checkpoints of any format.
package enum CheckpointReader {
  /// Loads a checkpoint.
  ///
  /// - Parameters:
  ///   - specification: an ONNX or safetensors file, or `VISUAL.onnx,TEXTUAL.onnx`.
  ///   - allowsNonFinite: whether NaN and infinite weights are read instead of refused.
  /// - Throws: `notFound`, `io`; `format` for files that contradict themselves; `unsupported` for models that the
  ///   library does not know, naming the place.
  package static func load(
    _ specification: String, allowsNonFinite: Bool = false
  ) throws(CLIPError) -> Checkpoint {
    try open(specification, allowsNonFinite: allowsNonFinite).checkpoint
  }

  /// Loads a checkpoint, and keeps what it takes to write into copies of its files.
  ///
  /// - Throws: as `load`.
  static func open(
    _ specification: String, allowsNonFinite: Bool
  ) throws(CLIPError) -> (checkpoint: Checkpoint, source: CheckpointSource) {
    let parts = specification.split(separator: ",").map(String.init)
    let isPair = !FileContents.exists(specification) && parts.count == 2
    if !isPair, try SafeTensors.isUsed(in: specification) {
      return (
        try SafeTensorsCheckpoint.load(specification, allowsNonFinite: allowsNonFinite),
        .safetensors
      )
    }
    let (checkpoint, imports) = try ONNXCheckpoint.load(
      isPair ? parts : [specification], allowsNonFinite: allowsNonFinite)
    return (checkpoint, .onnx(imports))
  }
}
