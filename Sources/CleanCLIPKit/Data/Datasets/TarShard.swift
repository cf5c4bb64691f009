internal import CArchive
internal import Glibc

/// A WebDataset shard: a plain tar file in which neighbouring entries with one key are one row:
/// `KEY.jpg` (`.jpeg`, `.png`, `.webp`) with `KEY.txt` or `KEY.json` for the caption, or both, and
/// `KEY.cls` for the label.
///
/// Opening reads headers only; images are read where they lie.
struct TarShard: Sendable {
  /// A stretch of the file.
  struct Extent: Sendable {
    let offset: Int
    let count: Int
  }

  struct Row: Sendable {
    let key: String
    let image: Extent
    let caption: Extent?
    let json: Extent?
    let label: Extent?
  }

  let path: String
  let rows: [Row]
  /// Groups of entries that are no row, and why, at most ten of them in words.
  let skipped: SkippedEntries
  let byteCount: Int
  private let stamp: FileStamp
  private let captionMember: String

  /// Bytes that a caption may have.
  private static let textLimit = 1 << 20

  /// Reads the headers of a shard.
  ///
  /// - Throws: `notFound`, `io`; `unsupported` for a compressed tar; `format` for what is no tar, is
  ///   damaged or ends early.
  init(path: String, columns: DatasetColumns) throws(CLIPError) {
    self.path = path
    captionMember = columns.caption
    stamp = try FileStamp(path: path)
    byteCount = stamp.byteCount
    var index = TarIndex(path: path, byteCount: stamp.byteCount)
    try index.read()
    rows = index.rows
    skipped = index.skipped
  }

  var name: Substring { path.split(separator: "/").last ?? "" }
  var hasCaptions: Bool { rows.contains { $0.caption != nil || $0.json != nil } }
  var hasLabels: Bool { rows.contains { $0.label != nil } }

  /// Reads a row.
  ///
  /// - Throws: `io`; `state` when the file has changed since it was opened; `format` for a caption
  ///   or a label that is none.
  func image(at index: Int) throws(CLIPError) -> CaptionedImage {
    let row = rows[index]
    let file = try FileReader(path: path, stamp: stamp)
    let image = try file.read(row.image.offset, count: row.image.count)
    var caption = ""
    if let extent = row.caption {
      caption = try text(of: extent, in: file, "\(row.key).txt")
    } else if let extent = row.json {
      let name = "\(path): \(row.key).json"
      let member = try JSONValue.parse(try text(of: extent, in: file, name), name: name)[
        captionMember]
      caption = member?.string ?? ""
    }
    let label = try row.label.map { (extent) throws(CLIPError) in
      try classIndex(try text(of: extent, in: file, "\(row.key).cls"), key: row.key)
    }
    return CaptionedImage(key: row.key, image: .file(image), caption: caption, label: label)
  }

  private func text(
    of extent: Extent, in file: borrowing FileReader, _ name: String
  ) throws(CLIPError) -> String {
    guard extent.count <= Self.textLimit else {
      throw CLIPError(
        .format,
        "'\(path)': '\(name)' is too long; expected at most \(Self.textLimit) bytes, "
          + "got \(extent.count)")
    }
    return String(decoding: try file.read(extent.offset, count: extent.count), as: UTF8.self)
  }

  private func classIndex(_ text: String, key: String) throws(CLIPError) -> Int32 {
    guard let value = Int32(text.trimmed), value >= 0 else {
      throw CLIPError(
        .format,
        "'\(path)': '\(key).cls' is no class index; expected an integer from 0, "
          + "got '\(text.prefix(40))'")
    }
    return value
  }
}
