/// A WebDataset shard: a plain tar file whose entries are rows by their names; see `EntryIndex`.
///
/// Opening reads headers only; images are read where they are.
struct TarShard: PairSource {
  /// A stretch of the file.
  struct Extent: Sendable {
    let offset: Int
    let count: Int
  }

  let path: String
  let omissions: Omissions
  private let rows: [EntryIndex.Row]
  private let extents: [Extent]
  private let stamp: FileStamp
  private let captionMember: String

  /// Bytes that a caption may have.
  static let textLimit = 1 << 20

  /// Reads the headers of a shard.
  ///
  /// - Throws: `notFound`, `io`; `unsupported` for a compressed tar; `format` for what is no tar, is
  ///   damaged or ends early.
  init(path: String, columns: DatasetColumns) throws(CLIPError) {
    self.path = path
    captionMember = columns.caption
    stamp = try FileStamp(path: path)
    var index = TarIndex(path: path, stamp: stamp)
    rows = try index.read()
    extents = index.extents
    omissions = index.omissions
  }

  var count: Int { rows.count }
  var hasCaptions: Bool { rows.contains { $0.caption != nil || $0.json != nil } }
  var usesColumns: Bool { rows.contains { $0.json != nil } }
  var hasLabels: Bool { rows.contains { $0.label != nil } }
  var identity: [String] {
    ["\(path.split(separator: "/").last ?? "") \(rows.count) \(stamp.byteCount)"]
  }

  func key(at row: Int) -> String { rows[row].key }

  func reads(_ file: FileIdentity, name: [UInt8]) -> Bool { FileIdentity(file: path) == file }

  /// Reads a row.
  ///
  /// - Throws: `io`; `state` when the file has changed since it was opened; `format` for a caption
  ///   or a label that is none.
  func image(at index: Int) throws(CLIPError) -> CaptionedImage {
    let row = rows[index]
    let file = try FileReader(path: path, stamp: stamp)
    let image = try bytes(of: row.image, in: file, row.key, limit: CaptionTable.imageLimit)
    var caption = ""
    if let entry = row.caption {
      caption = try text(of: entry, in: file, "\(row.key).txt")
    } else if let entry = row.json {
      let name = "\(path): \(row.key).json"
      let member = try JSONValue.parse(try text(of: entry, in: file, name), name: name)[
        captionMember]
      caption = member?.string ?? ""
    }
    return CaptionedImage(
      key: row.key, image: .file(image), caption: caption, label: try label(of: row, in: file))
  }

  func label(at row: Int) throws(CLIPError) -> ClassLabel? {
    let row = rows[row]
    guard row.label != nil else { return nil }
    return try label(of: row, in: try FileReader(path: path, stamp: stamp))
  }

  private func label(
    of row: EntryIndex.Row, in file: borrowing FileReader
  ) throws(CLIPError) -> ClassLabel? {
    guard let entry = row.label else { return nil }
    return try ClassLabel(file: try text(of: entry, in: file, "\(row.key).cls"), name: row.key)
  }

  private func bytes(
    of entry: Int, in file: borrowing FileReader, _ name: String, limit: Int
  ) throws(CLIPError) -> [UInt8] {
    let extent = extents[entry]
    guard extent.count <= limit else {
      throw CLIPError(
        .format,
        "'\(path)': '\(name)' is too long; expected at most \(limit) bytes, got \(extent.count)")
    }
    return try file.read(extent.offset, count: extent.count)
  }

  private func text(
    of entry: Int, in file: borrowing FileReader, _ name: String
  ) throws(CLIPError) -> String {
    try RawText.decode(
      try bytes(of: entry, in: file, name, limit: Self.textLimit), name: "\(path): \(name)")
  }
}
