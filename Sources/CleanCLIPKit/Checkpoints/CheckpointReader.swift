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
  /// - Throws: as `open`.
  package static func load(_ specification: String) throws(CLIPError) -> Checkpoint {
    try open(specification, preprocessing: nil, allowsNonFinite: false).checkpoint
  }

  /// Loads a checkpoint, and keeps what it takes to write into copies of its files.
  ///
  /// - Parameters:
  ///   - specification: an ONNX or safetensors file, the index of several, a folder as libraries save
  ///     one, or `VISUAL.onnx,TEXTUAL.onnx`.
  ///   - preprocessing: JSON or the path of a file, in place of what lies beside the checkpoint.
  ///   - allowsNonFinite: whether NaN and infinite weights are read instead of refused.
  /// - Throws: `notFound`, `io`; `format` for files that contradict themselves; `unsupported` for models
  ///   that the library does not know, naming the place.
  static func open(
    _ specification: String, preprocessing: String?, allowsNonFinite: Bool
  ) throws(CLIPError) -> (checkpoint: Checkpoint, source: CheckpointSource) {
    let set: SafeTensorsSet
    switch try CheckpointLocation(specification) {
    case .onnx(let paths):
      let (checkpoint, imports) = try ONNXCheckpoint.load(
        paths, preprocessing: preprocessing, allowsNonFinite: allowsNonFinite)
      return (checkpoint, .onnx(imports))
    case .safetensors(let path): set = try SafeTensorsSet(path)
    case .shards(let index): set = try SafeTensorsSet(index: index)
    }
    return (
      try SafeTensorsCheckpoint.load(
        set, preprocessing: preprocessing, allowsNonFinite: allowsNonFinite), .safetensors
    )
  }
}
