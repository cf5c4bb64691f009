internal import CArchive

/// Turns files into the bytes of a tar archive, piece by piece.
///
/// Members have no owner and no time, so that equal content gives equal bytes. Names too long for
/// the plain format get a pax header.
package final class TarEncoder {
  /// Collects what libarchive writes until it is taken.
  private final class Sink {
    var bytes: [UInt8] = []
  }

  private let archive: OpaquePointer
  private let sink = Sink()

  /// - Throws: `outOfMemory`.
  package init() throws(CLIPError) {
    guard let archive = archive_write_new() else {
      throw CLIPError(.outOfMemory, "tar: out of memory; expected room for a writer")
    }
    self.archive = archive
    let opened =
      archive_write_set_format_pax_restricted(archive) == ARCHIVE_OK
      // No padding of the last block: the end of the archive is the two zero records.
      && archive_write_set_bytes_in_last_block(archive, 1) == ARCHIVE_OK
      && archive_write_open(
        archive, Unmanaged.passUnretained(sink).toOpaque(), nil,
        { _, context, bytes, count in
          guard let context, let bytes else { return -1 }
          let sink = Unmanaged<Sink>.fromOpaque(context).takeUnretainedValue()
          sink.bytes.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
          return count
        }, nil) == ARCHIVE_OK
    guard opened else {
      archive_write_free(archive)
      throw CLIPError(.internal, "tar: the writer does not open")
    }
  }

  deinit { archive_write_free(archive) }

  /// Adds a file and returns the bytes that are ready to be written.
  ///
  /// - Throws: `invalidArgument` when the archive cannot hold the name.
  package func append(_ content: [UInt8], name: String) throws(CLIPError) -> [UInt8] {
    guard let entry = archive_entry_new() else {
      throw CLIPError(.outOfMemory, "tar: out of memory; expected room for a member's header")
    }
    defer { archive_entry_free(entry) }
    archive_entry_set_pathname_utf8(entry, name)
    archive_entry_set_filetype(entry, UInt32(S_IFREG))
    archive_entry_set_perm(entry, 0o644)
    archive_entry_set_size(entry, Int64(content.count))
    archive_entry_set_mtime(entry, 0, 0)
    guard archive_write_header(archive, entry) >= ARCHIVE_WARN else { throw failure(name) }
    let written = content.withUnsafeBytes { archive_write_data(archive, $0.baseAddress, $0.count) }
    guard written == content.count, archive_write_finish_entry(archive) >= ARCHIVE_WARN else {
      throw failure(name)
    }
    return take()
  }

  /// Ends the archive and returns its last bytes.
  package func finish() throws(CLIPError) -> [UInt8] {
    guard archive_write_close(archive) >= ARCHIVE_WARN else { throw failure("end of archive") }
    return take()
  }

  private func take() -> [UInt8] {
    defer { sink.bytes = [] }
    return sink.bytes
  }

  private func failure(_ name: String) -> CLIPError {
    let words = archive_error_string(archive).map { String(cString: $0) } ?? "unknown"
    return CLIPError(.invalidArgument, "tar: member '\(name)' cannot be written: \(words)")
  }
}
