internal import Glibc

/// A file that stays open and is read in parts.
///
/// It is read, not mapped: another process that shortens a mapped file ends this one with SIGBUS. A file
/// that is replaced by renaming stays readable here; one that is changed in place is noticed.
package final class InputFile: Sendable {
  /// Its path; of a file in memory, what messages call it.
  package let path: String
  /// The path of its folder, up to the last slash and empty for the current one; `nil` for a file in memory,
  /// which has nothing beside it.
  package let folder: String?
  private let descriptor: Int32
  /// The file's size and time when it was opened.
  package let stamp: FileStamp

  /// Bytes that are read at a time where a part is gone through piece by piece.
  package static let pieceLength = 16 << 20

  /// Opens a file.
  ///
  /// - Throws: `notFound`, `io`, or `format` for anything but a regular file.
  package init(_ path: String) throws(CLIPError) {
    try CLIPError.checkPath(path)
    // O_NONBLOCK: opening a named pipe must not wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw CLIPError.system(path, "open the file") }
    do throws(CLIPError) {
      stamp = try FileStamp(descriptor: descriptor, path: path)
    } catch {
      close(descriptor)
      throw error
    }
    self.path = path
    folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    self.descriptor = descriptor
  }

  /// Opens a file in memory, which stays as long as this one.
  ///
  /// - Throws: `io`.
  package init(_ file: MemoryFile) throws(CLIPError) {
    stamp = try FileStamp(descriptor: file.descriptor, path: file.name)
    path = file.name
    folder = nil
    descriptor = try file.duplicate()
  }

  deinit { close(descriptor) }

  /// Bytes of the file.
  package var count: Int { stamp.byteCount }

  /// Checks that the file is the one that was opened.
  ///
  /// - Throws: `state` when its size or the time of its last change differs.
  package func checkUnchanged(remedy: String = openAgain) throws(CLIPError) {
    guard try FileStamp(descriptor: descriptor, path: path) == stamp else { throw changed(remedy) }
  }

  /// What helps when a file has changed.
  package static let openAgain = "open it again"

  private func changed(_ remedy: String) -> CLIPError {
    CLIPError(
      .state,
      "'\(path)': has changed since it was opened; expected \(count) bytes of the same time, got "
        + "another size or time; \(remedy)")
  }

  /// Reads `count` bytes at `offset`, which are inside the file, to `target`.
  ///
  /// - Throws: `io`; `state` when the file has become shorter.
  package func read(
    _ offset: Int, count: Int, into target: UnsafeMutableRawPointer
  ) throws(CLIPError) {
    precondition(offset >= 0 && count >= 0 && count <= self.count - offset, "inside the file")
    var filled = 0
    while filled < count {
      if filled > 0 { try Polling.check() }
      let wanted = min(count - filled, Self.pieceLength)
      let got = pread(descriptor, target + filled, wanted, offset + filled)
      if got < 0, errno == EINTR { continue }
      guard got >= 0 else { throw CLIPError.system(path, "read the file") }
      guard got > 0 else { throw changed(Self.openAgain) }
      filled += got
    }
  }

  /// Returns a part of the file.
  ///
  /// - Throws: as the other `read`.
  package func read(_ range: Range<Int>) throws(CLIPError) -> [UInt8] {
    var failure: CLIPError?
    let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, filled in
      guard let base = buffer.baseAddress else { return }
      do throws(CLIPError) {
        try read(range.lowerBound, count: range.count, into: base)
        filled = range.count
      } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Returns the bytes at the beginning of the file, as many as there are up to `limit`.
  package func head(_ limit: Int) throws(CLIPError) -> [UInt8] { try read(0..<min(limit, count)) }

  /// Calls `body` with the bytes of a range, piece by piece.
  package func forEachPiece(
    of range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(CLIPError) -> Void
  ) throws(CLIPError) {
    let length = min(Self.pieceLength, range.count)
    guard length > 0 else { return }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 16)
    defer { buffer.deallocate() }
    guard let base = buffer.baseAddress else { return }
    for start in stride(from: range.lowerBound, to: range.upperBound, by: length) {
      let count = min(length, range.upperBound - start)
      try Polling.check()
      try read(start, count: count, into: base)
      try body(UnsafeRawBufferPointer(start: base, count: count))
    }
  }
}
