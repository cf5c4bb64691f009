internal import CArchive
internal import Glibc

/// Collects the rows of a tar shard from its headers.
struct TarIndex {
  private let path: String
  private let byteCount: Int
  private(set) var rows: [TarShard.Row] = []
  private(set) var skipped = SkippedEntries()
  private var keys: Set<String> = []
  private var group: Group?

  /// Neighbouring entries of one key.
  private struct Group {
    let key: String
    var image: TarShard.Extent?
    var caption: TarShard.Extent?
    var json: TarShard.Extent?
    var label: TarShard.Extent?
    var problem: String?
  }

  init(path: String, byteCount: Int) {
    self.path = path
    self.byteCount = byteCount
  }

  /// Reads all headers.
  mutating func read() throws(CLIPError) {
    guard let archive = archive_read_new() else {
      throw CLIPError(.outOfMemory, "'\(path)': out of memory; expected room for a tar reader")
    }
    defer { archive_read_free(archive) }
    // No decompressors: rows are read where they are in the file, and a small file stays small.
    archive_read_support_format_tar(archive)
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
      let size = Int(archive_entry_size(entry))
      let position = Int(archive_read_header_position(archive))
      guard archive_read_data_skip(archive) >= ARCHIVE_WARN else { throw failure(archive) }
      // Data ends, padded to blocks of 512, where the next header begins.
      let end = Int(archive_filter_bytes(archive, 0))
      let padded = size.addingReportingOverflow(511)
      guard size >= 0, !padded.overflow, end <= byteCount else {
        throw CLIPError(
          .format,
          "'\(path)': tar ends early; expected the \(size) bytes of the entry at \(position), "
            + "got a file of \(byteCount); download it again")
      }
      guard archive_entry_filetype(entry) == mode_t(Glibc.S_IFREG),
        archive_entry_hardlink(entry) == nil
      else { continue }
      guard let name = name(of: entry) else {
        skipped.add("'\(path)': the entry at \(position) has a name that is not text")
        continue
      }
      guard archive_entry_sparse_count(entry) == 0 else {
        skipped.add("'\(path)': '\(name)' is stored with holes")
        continue
      }
      let offset = end - padded.partialValue / 512 * 512
      guard offset >= position else {
        throw CLIPError(
          .format,
          "'\(path)': '\(name)' overlaps its header; expected \(size) bytes after \(position), "
            + "got them at \(offset)")
      }
      add(name, TarShard.Extent(offset: offset, count: size))
    }
    finishGroup()
  }

  private mutating func add(_ name: String, _ extent: TarShard.Extent) {
    let slash = name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex
    guard let dot = name[slash...].firstIndex(of: "."), dot > slash else { return }
    let key = String(name[..<dot])
    if group?.key != key {
      finishGroup()
      group = Group(key: key)
    }
    let isDouble: Bool
    switch name[name.index(after: dot)...].lowercased() {
    case "jpg", "jpeg", "png", "webp":
      isDouble = group?.image != nil
      group?.image = extent
      if extent.count > CaptionTable.imageLimit || extent.count == 0 {
        group?.problem = "has an image of \(extent.count) bytes"
      }
    case "txt":
      isDouble = group?.caption != nil
      group?.caption = extent
    case "json":
      isDouble = group?.json != nil
      group?.json = extent
    case "cls":
      isDouble = group?.label != nil
      group?.label = extent
    default:
      return
    }
    if isDouble { group?.problem = "has two files of one kind" }
  }

  private mutating func finishGroup() {
    defer { group = nil }
    guard let group else { return }
    guard let image = group.image else {
      // Side files of another kind of data are no rows at all.
      if group.caption != nil { skipped.add("'\(path)': '\(group.key)' has no image") }
      return
    }
    if let problem = group.problem {
      skipped.add("'\(path)': '\(group.key)' \(problem)")
    } else if !keys.insert(group.key).inserted {
      skipped.add("'\(path)': '\(group.key)' occurs twice")
    } else {
      rows.append(
        TarShard.Row(
          key: group.key, image: image, caption: group.caption, json: group.json,
          label: group.label))
    }
  }

  private func name(of entry: OpaquePointer) -> String? {
    // The form in the process's locale is the raw name of old headers, and missing for new ones.
    guard let name = archive_entry_pathname_utf8(entry) ?? archive_entry_pathname(entry) else {
      return nil
    }
    return String(validatingCString: name)
  }

  private func failure(_ archive: OpaquePointer) -> CLIPError {
    let gzip: [UInt8] = [0x1F, 0x8B]
    let zstandard: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
    let head =
      (try? FileReader(path: path, stamp: FileStamp(path: path))
        .read(0, count: min(4, byteCount))) ?? []
    if head.starts(with: gzip) || head == zstandard {
      return CLIPError(
        .unsupported,
        "'\(path)': tar is compressed; expected a plain tar; decompress it first")
    }
    let reason = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
    return CLIPError(.format, "'\(path)': cannot be read (\(reason)); expected a whole tar file")
  }
}
