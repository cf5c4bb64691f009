internal import CArchive
internal import Glibc

/// Collects the entries of a tar shard from its headers.
struct TarIndex {
  private let path: String
  private let stamp: FileStamp
  private(set) var extents: [TarShard.Extent] = []
  private var entries = EntryIndex()

  init(path: String, stamp: FileStamp) {
    self.path = path
    self.stamp = stamp
  }

  var omissions: Omissions { entries.omissions }

  /// Reads all headers and returns the rows, in the order of their images.
  mutating func read() throws(CLIPError) -> [EntryIndex.Row] {
    guard let archive = archive_read_new() else {
      throw CLIPError(.outOfMemory, "'\(path)': out of memory; expected room for a tar reader")
    }
    defer { archive_read_free(archive) }
    // No decompressors: rows are read where they are in the file, and a small file stays small.
    archive_read_support_format_tar(archive)
    // Entries behind an end marker count: other readers find them there.
    archive_read_set_format_option(archive, "tar", "read_concatenated_archives", "1")
    guard archive_read_open_filename(archive, path, 1 << 16) == ARCHIVE_OK else {
      throw failure(archive)
    }
    while true {
      var entry: OpaquePointer?
      let status = archive_read_next_header(archive, &entry)
      if status == ARCHIVE_EOF { break }
      guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry else {
        throw failure(archive)
      }
      try add(entry, of: archive)
    }
    let path = self.path
    return entries.rows { key in "'\(path)': '\(key)'" }
  }

  private mutating func add(
    _ entry: OpaquePointer, of archive: OpaquePointer
  ) throws(CLIPError) {
    let size = Int(archive_entry_size(entry))
    let position = Int(archive_read_header_position(archive))
    guard archive_read_data_skip(archive) >= ARCHIVE_WARN else { throw failure(archive) }
    // Data ends, padded to blocks of 512, where the next header begins.
    let end = Int(archive_filter_bytes(archive, 0))
    let padded = size.addingReportingOverflow(511)
    guard size >= 0, !padded.overflow, end <= stamp.byteCount else {
      throw CLIPError(
        .format,
        "'\(path)': tar ends early; expected the \(size) bytes of the entry at \(position), "
          + "got a file of \(stamp.byteCount); download it again")
    }
    let type = archive_entry_filetype(entry)
    guard type != mode_t(Glibc.S_IFDIR) else { return }
    let path = self.path
    guard let name = name(of: entry) else {
      return entries.omit(.damaged, "'\(path)': the entry at \(position) has no name")
    }
    let place = { "'\(path)': '\(name.text)'" }
    guard type == mode_t(Glibc.S_IFREG), archive_entry_hardlink(entry) == nil else {
      return entries.omit(EntryIndex.isData(name) ? .notAFile : .otherFile, place())
    }
    guard archive_entry_sparse_count(entry) == 0 else {
      return entries.omit(.damaged, place() + " is stored with holes")
    }
    let offset = end - padded.partialValue / 512 * 512
    guard offset >= position else {
      throw CLIPError(
        .format,
        "'\(path)': '\(name.text)' overlaps its header; expected \(size) bytes after \(position), "
          + "got them at \(offset)")
    }
    let stamp = stamp
    entries.add(name, entry: extents.count, place: place()) {
      (try? FileReader(path: path, stamp: stamp).read(offset, count: min(12, size))) ?? []
    }
    extents.append(TarShard.Extent(offset: offset, count: size))
  }

  private func name(of entry: OpaquePointer) -> FilePath? {
    // The form in the process's locale is the raw name of old headers, and missing for new ones.
    guard let name = archive_entry_pathname_utf8(entry) ?? archive_entry_pathname(entry) else {
      return nil
    }
    let bytes = UnsafeRawBufferPointer(start: name, count: strlen(name))
    return bytes.isEmpty ? nil : FilePath(Array(bytes))
  }

  private func failure(_ archive: OpaquePointer) -> CLIPError {
    let gzip: [UInt8] = [0x1F, 0x8B]
    let zstandard: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
    let head =
      (try? FileReader(path: path, stamp: stamp).read(0, count: min(4, stamp.byteCount))) ?? []
    if head.starts(with: gzip) || head == zstandard {
      return CLIPError(
        .unsupported,
        "'\(path)': tar is compressed; expected a plain tar; decompress it first")
    }
    let reason = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
    return CLIPError(.format, "'\(path)': cannot be read (\(reason)); expected a whole tar file")
  }
}
