internal import Glibc

/// Reads parts of a file that was indexed before.
struct FileReader: ~Copyable {
  private let path: String
  private let descriptor: Int32

  /// Opens the file.
  ///
  /// - Throws: `notFound`, `io`; `state` when the file has changed since it was indexed.
  init(path: String, stamp: FileStamp) throws(CLIPError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw CLIPError.system(path, "open the file") }
    do throws(CLIPError) {
      let found = try FileStamp(descriptor: descriptor, path: path)
      guard found == stamp else {
        throw CLIPError(
          .state,
          "'\(path)': has changed since it was opened; expected \(stamp.byteCount) bytes of the same "
            + "time, got \(found.byteCount) bytes or another time; open the dataset again")
      }
    } catch {
      close(descriptor)
      throw error
    }
    self.path = path
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Returns `count` bytes at `offset`, which are inside the file.
  func read(_ offset: Int, count: Int) throws(CLIPError) -> [UInt8] {
    var failure: CLIPError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let got = pread(
          descriptor, buffer.baseAddress.map { $0 + filled }, count - filled, offset + filled)
        if got < 0, errno == EINTR { continue }
        guard got > 0 else {
          failure =
            got < 0
            ? CLIPError.system(path, "read the file")
            : CLIPError(
              .io, "'\(path)': ends early; expected \(count) bytes at \(offset), got \(filled)")
          return
        }
        filled += got
      }
    }
    if let failure { throw failure }
    return bytes
  }
}
