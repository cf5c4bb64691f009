/// Where a checkpoint's weights are: found by its name, or in a folder by the names that libraries give.
enum CheckpointLocation: Equatable {
  /// One graph, or those of two towers.
  case onnx([String])
  case safetensors(String)
  /// The index of a safetensors checkpoint in several files.
  case shards(String)

  /// - Throws: `notFound` for a missing file and a folder without a checkpoint; `invalidArgument` for a
  ///   pair that can be divided in two ways; `unsupported` for one part of several.
  init(_ specification: String) throws(CLIPError) {
    let parts = try ModelPaths.split(specification)
    guard parts.count == 1, let path = parts.first else {
      self = .onnx(parts)
      return
    }
    self = ModelPaths.isFolder(path) ? try Self.found(in: path) : try Self.file(path)
  }

  private static func file(_ path: String) throws(CLIPError) -> CheckpointLocation {
    if path.hasSuffix(indexEnding) { return .shards(path) }
    guard try SafeTensors.isUsed(in: path) else { return .onnx([path]) }
    if let index = index(ofShard: path) {
      throw CLIPError(
        .unsupported,
        "'\(path)': is one part of a checkpoint; expected the whole of it; name '\(index)', or the "
          + "folder")
    }
    return .safetensors(path)
  }

  private static let indexEnding = ".safetensors.index.json"

  /// The index beside a file that is called as a part of several are: `NAME-00001-of-00003.safetensors`.
  private static func index(ofShard path: String) -> String? {
    let base = path.dropLast(".safetensors".count)
    let parts = base.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count > 3, parts[parts.count - 2] == "of",
      [parts[parts.count - 3], parts[parts.count - 1]].allSatisfy({ Int($0) != nil })
    else { return nil }
    let index = parts.dropLast(3).joined(separator: "-") + indexEnding
    return FileContents.exists(index) ? index : nil
  }

  /// What libraries call the files in a folder, the most specific first.
  private static let names = [
    ["model.safetensors"], ["model" + indexEnding], ["open_clip_model.safetensors"],
    ["open_clip_model" + indexEnding], ["model.onnx"], ["vision_model.onnx", "text_model.onnx"],
    ["visual.onnx", "textual.onnx"],
  ]

  private static func found(in folder: String) throws(CLIPError) -> CheckpointLocation {
    let base = folder.hasSuffix("/") ? folder : folder + "/"
    for place in [base, base + "onnx/"] {
      for names in names where names.allSatisfy({ FileContents.exists(place + $0) }) {
        let paths = names.map { place + $0 }
        return paths.count == 2 ? .onnx(paths) : try file(paths[0])
      }
    }
    let pickles = ["pytorch_model.bin", "open_clip_pytorch_model.bin", "model.pt"].filter {
      FileContents.exists(base + $0)
    }
    throw CLIPError(
      .notFound,
      "'\(folder)': no checkpoint in the folder; expected "
        + names.map { $0.joined(separator: " and ") }.joined(separator: ", ") + ", got "
        + (pickles.first.map { "'\($0)'; save it with safe_serialization=True" }
          ?? "none of them; name the file"))
  }
}
