internal import Glibc

/// What tells whether a file is still the one that was opened: its size and the time of its last change.
package struct FileStamp: Equatable, Sendable {
  package let byteCount: Int
  private let seconds: Int
  private let nanoseconds: Int

  private init(_ status: stat) {
    byteCount = Int(status.st_size)
    seconds = status.st_mtim.tv_sec
    nanoseconds = status.st_mtim.tv_nsec
  }

  /// Reads the stamp of an open file.
  ///
  /// - Throws: `io`; `format` for anything but a regular file.
  package init(descriptor: Int32, path: String) throws(CLIPError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw CLIPError.system(path, "read its size") }
    try self.init(status, path: path)
  }

  /// Reads the stamp of a file by its name.
  ///
  /// - Throws: `notFound`, `io`, or `format` for anything but a regular file.
  package init(path: String) throws(CLIPError) {
    try CLIPError.checkPath(path)
    var status = stat()
    guard stat(path, &status) == 0 else { throw CLIPError.system(path, "open the file") }
    try self.init(status, path: path)
  }

  private init(_ status: stat, path: String) throws(CLIPError) {
    guard status.st_mode & S_IFMT == S_IFREG else {
      let isFolder = status.st_mode & S_IFMT == S_IFDIR
      throw CLIPError(
        .format,
        "'\(path)': is not a file; expected a regular file, got "
          + (isFolder ? "a folder; name the file in it" : "a device, a pipe or a socket"))
    }
    self.init(status)
  }
}
