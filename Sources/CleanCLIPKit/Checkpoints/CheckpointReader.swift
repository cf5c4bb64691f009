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
    switch try CheckpointLocation(specification) {
    case .onnx(let paths):
      return try load(
        try paths.map { (path) throws(CLIPError) in try InputFile(path) }, preprocessing,
        allowsNonFinite)
    case .safetensors(let path):
      return try load(try SafeTensorsSet(try InputFile(path)), preprocessing, allowsNonFinite)
    case .shards(let index):
      return try load(try SafeTensorsSet(index: index), preprocessing, allowsNonFinite)
    }
  }

  /// Loads a checkpoint from files in memory: ONNX or safetensors, told by their bytes, or the two graphs of
  /// the towers.
  ///
  /// - Parameters: as the other `open`.
  /// - Throws: as the other `open`, and `notFound` for what would be beside the files.
  static func open(
    _ parts: [MemoryFile], preprocessing: String?, allowsNonFinite: Bool
  ) throws(CLIPError) -> (checkpoint: Checkpoint, source: CheckpointSource) {
    let files = try parts.map { (part) throws(CLIPError) in try InputFile(part) }
    if files.count == 1, try SafeTensors.isUsed(in: files[0]) {
      return try load(try SafeTensorsSet(files[0]), preprocessing, allowsNonFinite)
    }
    return try load(files, preprocessing, allowsNonFinite)
  }

  private static func load(
    _ graphs: [InputFile], _ preprocessing: String?, _ allowsNonFinite: Bool
  ) throws(CLIPError) -> (checkpoint: Checkpoint, source: CheckpointSource) {
    let (checkpoint, imports) = try ONNXCheckpoint.load(
      graphs, preprocessing: preprocessing, allowsNonFinite: allowsNonFinite)
    return (checkpoint, .onnx(imports))
  }

  private static func load(
    _ set: SafeTensorsSet, _ preprocessing: String?, _ allowsNonFinite: Bool
  ) throws(CLIPError) -> (checkpoint: Checkpoint, source: CheckpointSource) {
    (
      try SafeTensorsCheckpoint.load(
        set, preprocessing: preprocessing, allowsNonFinite: allowsNonFinite), .safetensors
    )
  }
}
