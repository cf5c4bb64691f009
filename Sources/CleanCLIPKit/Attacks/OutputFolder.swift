internal import Glibc

/// A new folder of files that gets its name when all of them are written.
final class OutputFolder {
  private let path: String
  private let temporary: String
  /// Holds the lock of `TemporaryName`.
  private let descriptor: Int32
  private var isCommitted = false

  /// The last part of the path.
  let name: String

  /// - Throws: `io` when the folder exists or cannot be made.
  init(path: String) throws(CLIPError) {
    guard access(path, F_OK) != 0 else {
      throw CLIPError(
        .io, "'\(path)': exists already; expected the name of a new folder; remove it first")
    }
    TemporaryName.removeLeftovers(of: path)
    (temporary, descriptor) = try Self.makeTemporary(path)
    self.path = path
    name = String(
      path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
  }

  deinit {
    close(descriptor)
    if !isCommitted { _ = TemporaryName.removeFolder(temporary) }
  }

  private static func makeTemporary(
    _ path: String
  ) throws(CLIPError) -> (name: String, descriptor: Int32) {
    for slot in TemporaryName.slots {
      let name = TemporaryName.name(for: path, slot: slot)
      if mkdir(name, 0o777) == 0 {
        let descriptor = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw CLIPError.system(path, "open the folder") }
        // Another process may have taken it for a leftover before it was locked.
        if TemporaryName.lock(descriptor, name) || errno == ENOLCK || errno == EOPNOTSUPP {
          return (name, descriptor)
        }
        close(descriptor)
      } else if errno != EEXIST {
        break
      }
    }
    throw CLIPError.system(path, "make the folder")
  }

  /// Writes a file.
  ///
  /// - Throws: `io`.
  func add(_ bytes: [UInt8], name: String) throws(CLIPError) {
    let path = temporary + "/" + name
    guard let file = fopen(path, "wxe") else { throw CLIPError.system(path, "create the file") }
    let written = fwrite(bytes, 1, bytes.count, file)
    // fclose must run also after a short write; a full disk may show in either.
    guard fclose(file) == 0, written == bytes.count else {
      throw CLIPError.system(path, "write the file")
    }
  }

  /// Gives the folder its name.
  ///
  /// - Throws: `io`.
  func commit() throws(CLIPError) {
    guard rename(temporary, path) == 0 else { throw CLIPError.system(path, "rename the folder") }
    isCommitted = true
  }
}
