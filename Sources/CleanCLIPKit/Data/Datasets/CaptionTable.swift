/// A csv or tsv file of image paths with captions, labels, or both.
struct CaptionTable: PairSource {
  private let table: DelimitedText
  private let folder: FilePath
  private let image: Int
  private let caption: Int?
  private let label: Int?

  /// Bytes that an image file may have.
  static let imageLimit = 256 << 20

  /// Opens a table; captions and labels may be missing, unless their column was given another name.
  ///
  /// - Throws: `notFound` for a missing file or column; as `DelimitedText`.
  init(path: String, columns: DatasetColumns) throws(CLIPError) {
    table = try DelimitedText(path: path)
    folder = FilePath(path.lastIndex(of: "/").map { String(path[...$0]) } ?? "")
    image = try table.column(columns.images.first(where: table.has) ?? columns.image)
    caption = try Self.column(
      columns.captions, of: table, isNeeded: columns.captions.count == 1)
    label = try Self.column(
      [columns.label], of: table, isNeeded: columns.label != DatasetColumns().label)
  }

  /// The first of the names that is in the header; `nil` for none, unless one is needed.
  private static func column(
    _ names: [String], of table: DelimitedText, isNeeded: Bool
  ) throws(CLIPError) -> Int? {
    let name = names.first(where: table.has) ?? names[0]
    return isNeeded || table.has(name) ? try table.column(name) : nil
  }

  var count: Int { table.count }
  var hasCaptions: Bool { caption != nil }
  var usesColumns: Bool { true }
  var hasLabels: Bool { label != nil }
  var columns: [String] { table.columns }
  var identity: [String] {
    ["\(table.path.split(separator: "/").last ?? "") \(table.count) \(table.byteCount)"]
  }

  /// The name of a row for messages: the image's path as the table has it, or the row's number.
  func key(at row: Int) -> String {
    guard let fields = try? table.fields(row), !fields[image].isEmpty else {
      return "row \(row + 1)"
    }
    return RawText.text(fields[image])
  }

  /// The paths of the images as the table has them, of those rows that can be read.
  func imagePaths() -> [FilePath] {
    (0..<count).compactMap { row in (try? table.fields(row)).map { FilePath($0[image]) } }
  }

  func reads(_ file: FileIdentity, name: [UInt8]) -> Bool {
    FileIdentity(file: table.path) == file
      || Self.contains(file, name: name, among: imagePaths(), below: folder)
  }

  /// Reads a row and its image file.
  ///
  /// - Throws: `format` for a row with fewer or more fields than columns or text that is no UTF-8;
  ///   `notFound` and `io` for the image.
  func image(at row: Int) throws(CLIPError) -> CaptionedImage {
    let fields = try table.fields(row)
    let path = FilePath(fields[image])
    guard let first = path.bytes.first else {
      throw CLIPError(.format, "'\(table.path)': row \(row + 1) names no image; expected a path")
    }
    let text = try caption.map { (column) throws(CLIPError) in
      try self.text(fields[column], row: row)
    }
    let file = first == UInt8(ascii: "/") ? path : FilePath(folder.bytes + path.bytes)
    return CaptionedImage(
      key: path.text, image: .file(try file.read(limit: Self.imageLimit)), caption: text ?? "",
      label: try label(fields, row: row))
  }

  func label(at row: Int) throws(CLIPError) -> ClassLabel? {
    try label(try table.fields(row), row: row)
  }

  /// What the label's field says; `nil` where it is empty.
  private func label(_ fields: [[UInt8]], row: Int) throws(CLIPError) -> ClassLabel? {
    guard let label else { return nil }
    let text = try text(fields[label], row: row).trimmed
    return text.isEmpty ? nil : .text(text)
  }

  private func text(_ field: [UInt8], row: Int) throws(CLIPError) -> String {
    try RawText.decode(field, name: "\(table.path): row \(row + 1)")
  }
}

extension StringProtocol {
  /// The text without white space at either end.
  var trimmed: String {
    let tail = drop { $0.isWhitespace }
    return String(
      tail[..<(tail.lastIndex { !$0.isWhitespace }.map(tail.index(after:)) ?? tail.startIndex)])
  }
}
