/// Recovered triggers on disk: a safetensors file, and a PNG image beside it to look at.
///
/// The file has one tensor, `trigger` `[planes, S, S]`, and the metadata `format`, `kind`, `size` and
/// `provenance`.
enum TriggerFile {
  private static let format = "cleanclip trigger 1"
  private static let ending = ".safetensors"
  /// The largest S that is read.
  private static let largestSide = 4096
  /// Bytes of the provenance that are kept, which comes from whoever wrote the file.
  private static let provenanceLimit = 256

  /// Writes both files.
  ///
  /// - Parameter path: ends in `.safetensors`; the image's path ends in `.png` instead.
  /// - Throws: `invalidArgument` for another ending; `io`.
  static func save(
    _ trigger: FoundTrigger, provenance: String, to path: String
  ) throws(CLIPError) {
    guard path.hasSuffix(ending) else {
      throw CLIPError(
        .invalidArgument,
        "'\(path)': has another ending; expected a name that ends in \(ending)")
    }
    let shape = Shape([trigger.kind.planes, trigger.side, trigger.side])
    try SafeTensors.write(
      [("trigger", try Tensor(trigger.numbers, shape))],
      metadata: [
        "format": format, "kind": trigger.kind.name, "size": "\(trigger.size)",
        "provenance": provenance,
      ], to: path)
    try AtomicFile.write(
      try ImageEncoder.png(trigger.image), to: path.dropLast(ending.count) + ".png")
  }

  /// Reads a file that anybody may have written.
  ///
  /// - Throws: `format` for anything but a trigger of a known kind, whose numbers are in its range.
  static func load(_ path: String) throws(CLIPError) -> (trigger: FoundTrigger, provenance: String)
  {
    let file = try SafeTensors.read(path)
    guard file.metadata["format"] == format else {
      throw CLIPError(
        .format,
        "'\(path)': is not a saved trigger; expected format '\(format)', "
          + "got '\(file.metadata["format"] ?? "none")'")
    }
    guard let kind = file.metadata["kind"].flatMap(TriggerKind.init(name:)) else {
      throw CLIPError(
        .format,
        "'\(path)': is a trigger of an unknown kind; expected one of \(TriggerKind.list), "
          + "got '\(file.metadata["kind"] ?? "none")'")
    }
    guard file.entries.count == 1, let entry = file["trigger"], entry.shape.rank == 3,
      (1...largestSide).contains(entry.shape[1])
    else {
      throw CLIPError(
        .format,
        "'\(path)': is damaged; expected one tensor 'trigger' [planes, side, side] of at most "
          + "\(largestSide) pixels along each side, got \(file.entries.map(\.name))")
    }
    guard let size = file.metadata["size"].flatMap({ Float($0) }) else {
      throw CLIPError(
        .format,
        "'\(path)': is damaged; expected a size, got '\(file.metadata["size"] ?? "none")'")
    }
    let trigger = try FoundTrigger(
      kind: kind, size: size, side: entry.shape[1], values: try file.tensor("trigger"), file: path)
    let provenance = (file.metadata["provenance"] ?? "").printable(limit: provenanceLimit)
    return (trigger, provenance)
  }
}

extension Trigger {
  /// Writes a recovered trigger to a safetensors file, and an image of it beside that.
  ///
  /// - Parameter path: ends in `.safetensors`; the image's path ends in `.png` instead.
  /// - Throws: `unsupported` for a trigger that no search recovered; `invalidArgument` for another
  ///   ending; `io`.
  package func save(to path: String) throws(CLIPError) {
    guard let recovered else {
      throw CLIPError(
        .unsupported,
        "trigger: is not a recovered one; expected what a check found, got \(summary); its name, or "
          + "its image, and its options make it again")
    }
    try TriggerFile.save(recovered, provenance: provenance, to: path)
  }
}

extension Trigger {
  /// Loads triggers from files, and those that stand in folders.
  ///
  /// - Parameter paths: of saved triggers, of images that are pasted, and of folders, whose saved
  ///   triggers are taken in order of their names.
  /// - Throws: `notFound` for a folder without any; what `load` throws.
  package static func load(all paths: [String]) throws(CLIPError) -> [Trigger] {
    var triggers: [Trigger] = []
    for path in paths {
      guard ModelPaths.isFolder(path) else {
        triggers.append(try load(path))
        continue
      }
      let saved = try FolderWalk(FilePath(path)).files.filter { $0.text.hasSuffix(".safetensors") }
      guard !saved.isEmpty else {
        throw CLIPError(
          .notFound,
          "'\(path)': has no trigger; expected .safetensors files that a check saved, got none")
      }
      for file in saved { triggers.append(try load(path + "/" + file.text)) }
    }
    return triggers
  }
}
