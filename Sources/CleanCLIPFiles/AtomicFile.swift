internal import Glibc

/// Writes a file so that its name always stands for a whole file: the old one or the new one.
///
/// The content goes to a file without a name in the same folder, which is synchronised and then
/// named; a crash, an error or a full disk leaves the old file as it was and no half of a new one.
package struct AtomicFile: ~Copyable {
  private let path: String
  private let target: String
  private var file: TemporaryFile
  private var buffer: [UInt8] = []
  /// Bytes appended so far.
  package private(set) var count = 0

  private static let bufferSize = 1 << 20

  /// Writes what `body` appends to the file `path`.
  ///
  /// - Throws: `io` or `notFound` when the file cannot be written, and what `body` throws; the
  ///   temporary file is removed and an old file stays in both cases.
  package static func write(
    _ path: String, _ body: (inout AtomicFile) throws(CLIPError) -> Void
  ) throws(CLIPError) {
    var file = try AtomicFile(path)
    try body(&file)
    try file.commit()
  }

  /// Writes what `body` appends to a file, or to memory.
  ///
  /// - Throws: as the other `write`.
  package static func write(
    to destination: FileDestination, _ body: (inout AtomicFile) throws(CLIPError) -> Void
  ) throws(CLIPError) {
    switch destination {
    case .path(let path): try write(path, body)
    case .memory(let memory):
      var file = try AtomicFile(memory)
      try body(&file)
      try file.flush()
    }
  }

  /// Writes a whole file from bytes.
  package static func write(_ bytes: [UInt8], to path: String) throws(CLIPError) {
    try write(path) { (file) throws(CLIPError) in try file.append(bytes) }
  }

  /// Writes a whole text file.
  package static func write(_ text: String, to path: String) throws(CLIPError) {
    try write(Array(text.utf8), to: path)
  }

  /// Tries whether a file can be written, before the work that makes its content; nothing remains
  /// of the trial.
  ///
  /// - Throws: `io` or `notFound` for a folder that is missing or cannot be written to, something
  ///   that is not a file, a full disk.
  package static func check(_ path: String) throws(CLIPError) {
    var file = try AtomicFile(path)
    try file.append([UInt8](repeating: 0, count: 4096))
    try file.flush()
  }

  private init(_ path: String) throws(CLIPError) {
    try CLIPError.checkPath(path)
    let target = try Self.resolved(path)
    let file = try TemporaryFile(for: target, path: path)
    self.path = path
    self.target = target
    self.file = file
  }

  private init(_ memory: MemoryFile) throws(CLIPError) {
    let file = try TemporaryFile(memory)
    path = memory.name
    target = memory.name
    self.file = file
  }

  /// Follows a symbolic link, so that renaming replaces the file and not the link.
  private static func resolved(_ path: String) throws(CLIPError) -> String {
    var status = stat()
    guard lstat(path, &status) == 0 else { return path }
    var target = path
    if status.st_mode & S_IFMT == S_IFLNK, let resolved = realpath(path, nil) {
      target = String(cString: resolved)
      free(resolved)
      guard stat(target, &status) == 0 else { return target }
    }
    guard status.st_mode & S_IFMT == S_IFREG || status.st_mode & S_IFMT == S_IFLNK else {
      throw CLIPError(
        .io, "'\(path)': cannot write the file; expected a regular file, got a folder or a device")
    }
    return target
  }

  /// Adds bytes at the end.
  ///
  /// - Throws: `io`, on a full disk with the advice to free space.
  package mutating func append(_ bytes: UnsafeRawBufferPointer) throws(CLIPError) {
    count += bytes.count
    if buffer.count + bytes.count <= Self.bufferSize {
      buffer.append(contentsOf: bytes)
      return
    }
    try flush()
    if bytes.count >= Self.bufferSize {
      try Self.writeAll(bytes, to: file.descriptor, path: path)
    } else {
      buffer.append(contentsOf: bytes)
    }
  }

  /// Adds bytes at the end.
  package mutating func append(_ bytes: [UInt8]) throws(CLIPError) {
    let failure = bytes.withUnsafeBytes { bytes -> CLIPError? in
      do throws(CLIPError) { try append(bytes) } catch { return error }
      return nil
    }
    if let failure { throw failure }
  }

  /// Adds a part of another file, piece by piece.
  ///
  /// - Throws: `io`; `state` when the other file has become shorter.
  package mutating func append(_ source: InputFile, _ range: Range<Int>) throws(CLIPError) {
    try source.forEachPiece(of: range) { (piece) throws(CLIPError) in try append(piece) }
  }

  /// Adds zeros until the number of bytes is a multiple of `alignment`.
  package mutating func pad(to alignment: Int) throws(CLIPError) {
    let rest = count % alignment
    if rest > 0 { try append([UInt8](repeating: 0, count: alignment - rest)) }
  }

  private mutating func flush() throws(CLIPError) {
    let failure = buffer.withUnsafeBytes { bytes -> CLIPError? in
      do throws(CLIPError) { try Self.writeAll(bytes, to: file.descriptor, path: path) } catch {
        return error
      }
      return nil
    }
    if let failure { throw failure }
    buffer.removeAll(keepingCapacity: true)
  }

  private static func writeAll(
    _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String
  ) throws(CLIPError) {
    var rest = bytes
    while let base = rest.baseAddress, rest.count > 0 {
      try Polling.check()
      let written = Glibc.write(descriptor, base, min(rest.count, InputFile.pieceLength))
      if written < 0 {
        if errno == EINTR { continue }
        throw CLIPError.system(path, "write the file")
      }
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
    }
  }

  /// Brings what was appended to the disk: after this, only the name is missing.
  ///
  /// - Throws: `io`.
  package mutating func synchronize() throws(CLIPError) {
    try flush()
    guard fsync(file.descriptor) == 0 else {
      throw CLIPError.system(path, "write the file to disk")
    }
  }

  private mutating func commit() throws(CLIPError) {
    try synchronize()
    try file.takeName(path: path)
    // The new name must survive a crash too.
    let folder = target.lastIndex(of: "/").map { String(target[...$0]) } ?? "."
    let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if directory >= 0 {
      fsync(directory)
      close(directory)
    }
  }
}
