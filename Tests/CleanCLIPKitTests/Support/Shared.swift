import Glibc

/// Files that are not part of the repository: models and data in a folder beside it.
enum Shared {
  /// Returns the path of a file or folder below the shared folder, `nil` when it is absent.
  ///
  /// The folder is `CLEANCLIP_SHARED`, or `shared` beside the package. Tests that need a file are
  /// enabled by its presence: `.enabled(if: Shared.url("models/x.onnx") != nil, "…")`.
  static func url(_ name: String) -> String? {
    let folder =
      getenv("CLEANCLIP_SHARED").map { String(cString: $0) }
      ?? #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(5)
      .joined(separator: "/") + "/shared"
    let path = folder + "/" + name
    return access(path, R_OK) == 0 ? path : nil
  }
}
