internal import Glibc

/// The bytes of a whole file, in memory of their own, so that nothing that happens to the file later
/// matters.
package final class FileContents: @unchecked Sendable {
  // Sendable: the memory is written before the object is there, and lives as long as it.
  package let path: String
  package let bytes: UnsafeRawBufferPointer

  /// Reads a whole file.
  ///
  /// - Throws: `notFound`, `io`; `format` for anything but a regular file; `state` when it changes
  ///   meanwhile; `outOfMemory`.
  package init(_ path: String) throws(CLIPError) {
    let file = try InputFile(path)
    self.path = path
    guard file.count > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let memory = malloc(file.count) else {
      throw CLIPError(
        .outOfMemory,
        "'\(path)': not enough memory to read the file; expected room for \(file.count) bytes")
    }
    do throws(CLIPError) {
      try file.read(0, count: file.count, into: memory)
      try file.checkUnchanged()
    } catch {
      free(memory)
      throw error
    }
    bytes = UnsafeRawBufferPointer(start: memory, count: file.count)
  }

  deinit { free(UnsafeMutableRawPointer(mutating: bytes.baseAddress)) }

  /// Reads a small file at once.
  ///
  /// - Throws: as `init`, and `format` when the file is larger than `limit` bytes.
  package static func read(_ path: String, limit: Int = 1 << 30) throws(CLIPError) -> [UInt8] {
    let file = try InputFile(path)
    guard file.count <= limit else {
      throw CLIPError(
        .format,
        "'\(path)': file is too large; expected at most \(limit) bytes, got \(file.count)")
    }
    let bytes = try file.read(0..<file.count)
    try file.checkUnchanged()
    return bytes
  }

  /// Whether a regular file (or a link to one) has this path.
  package static func exists(_ path: String) -> Bool {
    var status = stat()
    return !path.utf8.contains(0) && stat(path, &status) == 0
      && status.st_mode & S_IFMT == S_IFREG
  }
}
