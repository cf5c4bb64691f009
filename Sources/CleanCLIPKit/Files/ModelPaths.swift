internal import Glibc

/// The paths in the name of a model: a file or a folder, or `VISUAL.onnx,TEXTUAL.onnx`. Paths may have
/// commas themselves.
enum ModelPaths {
  /// Returns one path, or the two of a pair that is there or is to be written.
  ///
  /// - Throws: `invalidArgument` when a pair can be divided in two ways.
  static func split(_ specification: String) throws(CLIPError) -> [String] {
    if isThere(specification) { return [specification] }
    let pairs = specification.indices.filter { specification[$0] == "," }.map { comma in
      (
        String(specification[..<comma]),
        String(specification[specification.index(after: comma)...])
      )
    }.filter { !$0.0.isEmpty && !$0.1.isEmpty }
    // What is there decides, then what is called a graph.
    var found = pairs.filter { isThere($0.0) && isThere($0.1) }
    if found.isEmpty { found = pairs.filter { $0.0.hasSuffix(".onnx") } }
    guard found.count <= 1 else {
      throw CLIPError(
        .invalidArgument,
        "'\(specification)': can be divided in \(found.count) ways; expected one comma between two "
          + "paths, got others in their names; rename the folder")
    }
    return found.first.map { [$0.0, $0.1] } ?? [specification]
  }

  /// Whether a file or folder has this path.
  static func isThere(_ path: String) -> Bool {
    !path.utf8.contains(0) && access(path, F_OK) == 0
  }

  /// Whether a folder (or a link to one) has this path.
  static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return !path.utf8.contains(0) && stat(path, &status) == 0
      && status.st_mode & S_IFMT == S_IFDIR
  }

  /// The path up to its last slash; empty without one.
  static func folder(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
  }
}
