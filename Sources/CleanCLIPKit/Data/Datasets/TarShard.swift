internal import CArchive
internal import Glibc

/// A WebDataset shard: a plain tar file in which neighbouring entries with one key are one row:
/// `KEY.jpg` (`.jpeg`, `.png`, `.webp`) with `KEY.txt` or `KEY.json` for the caption, or both, and
/// `KEY.cls` for the label.
///
/// Opening reads headers only; images are read where they lie.
struct TarShard: PairSource {
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
    var index = TarIndex(path: path, byteCount: stamp.byteCount)
    try index.read()
    rows = index.rows
    skipped = index.skipped
  }

  var count: Int { rows.count }
  var identity: [String] {
    ["\(path.split(separator: "/").last ?? "") \(rows.count) \(stamp.byteCount)"]
  }
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
    let label = try label(of: row, in: file)
    return CaptionedImage(key: row.key, image: .file(image), caption: caption, label: label)
  }

  func key(at row: Int) -> String { rows[row].key }

  func label(at row: Int) throws(CLIPError) -> ClassLabel? {
    let row = rows[row]
    guard row.label != nil else { return nil }
    return try label(of: row, in: try FileReader(path: path, stamp: stamp))
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

  private func label(
    of row: Row, in file: borrowing FileReader
  ) throws(CLIPError) -> ClassLabel? {
    guard let extent = row.label else { return nil }
    let text = try text(of: extent, in: file, "\(row.key).cls").trimmed
    guard !text.isEmpty else {
      throw CLIPError(
        .format, "'\(path)': '\(row.key).cls' is empty; expected the index of a class, got none")
    }
    return Int32(text).map { .index($0) } ?? .text(text)
  }
}
