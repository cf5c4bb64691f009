internal import CArchive

/// Files that may be compressed with gzip.
package enum CompressedFile {
  /// Reads a whole file, decompressed.
  ///
  /// - Throws: `notFound` or `io` when it cannot be opened, `format` when it is damaged or holds more
  ///   than `limit` bytes.
  package static func read(_ path: String, limit: Int) throws(CLIPError) -> [UInt8] {
    guard let archive = archive_read_new() else {
      throw CLIPError(.outOfMemory, "'\(path)': out of memory; expected room for a decompressor")
    }
    defer { archive_read_free(archive) }
    archive_read_support_filter_gzip(archive)
    archive_read_support_format_raw(archive)
    archive_read_support_format_empty(archive)
    // Anything else, such as a named pipe, could block.
    guard FileContents.exists(path) else {
      throw CLIPError(.notFound, "'\(path)': no such file; expected a file that can be read")
    }
    guard archive_read_open_filename(archive, path, 1 << 16) == ARCHIVE_OK else {
      throw failure(archive, path, .io)
    }
    var entry: OpaquePointer?
    switch archive_read_next_header(archive, &entry) {
    case ARCHIVE_OK: break
    case ARCHIVE_EOF: return []
    default: throw failure(archive, path, .format)
    }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = block.withUnsafeMutableBytes {
        archive_read_data(archive, $0.baseAddress, $0.count)
      }
      if count == 0 { return bytes }
      guard count > 0 else { throw failure(archive, path, .format) }
      guard bytes.count + count <= limit else {
        throw CLIPError(
          .format,
          "'\(path)': too large; expected at most \(limit) bytes when decompressed, got more")
      }
      bytes += block[..<count]
    }
  }

  private static func failure(
    _ archive: OpaquePointer, _ path: String, _ code: CLIPError.Code
  ) -> CLIPError {
    let reason = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
    return CLIPError(code, "'\(path)': cannot be read (\(reason)); expected a whole file")
  }
}
