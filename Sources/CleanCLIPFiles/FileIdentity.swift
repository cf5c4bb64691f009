internal import Glibc

/// What tells one file from another, whatever their paths.
package struct FileIdentity: Hashable, Sendable {
  private let device: UInt
  private let number: UInt
  /// The last part of the path of a file that is not there, whose folder the numbers are of; empty for
  /// one that is.
  private let name: String

  private init?(_ path: String, name: String, isKind: (mode_t) -> Bool) {
    var status = stat()
    guard stat(path, &status) == 0, isKind(status.st_mode & S_IFMT) else { return nil }
    device = UInt(status.st_dev)
    number = UInt(status.st_ino)
    self.name = name
  }

  /// `nil` for what is not a regular file.
  package init?(file path: String) {
    self.init(path, name: "") { $0 == S_IFREG }
  }

  /// Where an output goes: the file or the folder that has the path, or else the name in its folder; `nil`
  /// where there is no such folder.
  package init?(place path: String) {
    if let there = FileIdentity(path, name: "", isKind: { _ in true }) {
      self = there
      return
    }
    var path = path[...]
    while path.count > 1, path.last == "/" { path = path.dropLast() }
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { String(path[...$0]) } ?? "."
    self.init(
      folder, name: String(path[(slash.map { path.index(after: $0) } ?? path.startIndex)...])
    ) { $0 == S_IFDIR }
  }
}

extension CLIPError {
  /// The error of an output that is also an input.
  package static func bothWays(_ path: String) -> CLIPError {
    CLIPError(
      .invalidArgument,
      "'\(path)': is both read and written; expected another file for the output, which leaves "
        + "this one as it is, got the same")
  }
}
