internal import Glibc

/// The bytes of a file, mapped into memory for reading.
///
/// Pages are read when they are touched and can be dropped by the system, so a checkpoint of any
/// size costs no memory of its own. A file that another process shortens while it is mapped ends
/// this process with SIGBUS; files replaced by renaming, as this library does, are safe.
package final class MappedFile: @unchecked Sendable {
  // Sendable: the mapping is read-only and lives as long as the object.
  package let path: String
  package let bytes: UnsafeRawBufferPointer

  /// Maps a whole file.
  ///
  /// - Throws: `notFound`, `io`, or `format` for anything but a regular file.
  package init(_ path: String) throws(CLIPError) {
    try CLIPError.checkPath(path)
    self.path = path
    // O_NONBLOCK: opening a named pipe must not wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw CLIPError.system(path, "open the file") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw CLIPError.system(path, "read its size") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let isFolder = status.st_mode & S_IFMT == S_IFDIR
      throw CLIPError(
        .format,
        "'\(path)': is not a file; expected a regular file, got "
          + (isFolder ? "a folder; name the file in it" : "a device, a pipe or a socket"))
    }
    let count = Int(status.st_size)
    guard count > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let address, address != MAP_FAILED else { throw CLIPError.system(path, "map the file") }
    bytes = UnsafeRawBufferPointer(start: address, count: count)
  }

  deinit {
    if let base = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: base), bytes.count)
    }
  }

  /// Gives the memory pages of a large part back after it was copied, so that reading a checkpoint
  /// holds one copy of its weights and not two; the part stays readable.
  package func release(_ part: UnsafeRawBufferPointer) {
    guard part.count >= 1 << 20, let base = part.baseAddress else { return }
    let page = 4096
    let start = (Int(bitPattern: base) + page - 1) / page * page
    let end = (Int(bitPattern: base) + part.count) / page * page
    if end > start, let address = UnsafeMutableRawPointer(bitPattern: start) {
      madvise(address, end - start, MADV_DONTNEED)
    }
  }

  /// Reads a small file at once.
  ///
  /// - Throws: as `init`, and `format` when the file is larger than `limit` bytes.
  package static func read(_ path: String, limit: Int = 1 << 30) throws(CLIPError) -> [UInt8] {
    let file = try MappedFile(path)
    guard file.bytes.count <= limit else {
      throw CLIPError(
        .format,
        "'\(path)': file is too large; expected at most \(limit) bytes, got \(file.bytes.count)")
    }
    return Array(file.bytes)
  }

  /// Whether a regular file (or a link to one) has this path.
  package static func exists(_ path: String) -> Bool {
    var status = stat()
    return !path.utf8.contains(0) && stat(path, &status) == 0
      && status.st_mode & S_IFMT == S_IFREG
  }
}
