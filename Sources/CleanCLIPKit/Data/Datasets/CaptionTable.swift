/// A csv or tsv file of image paths with captions, labels, or both.
struct CaptionTable: Sendable {
  private let table: DelimitedText
  private let folder: String
  private let image: Int
  private let caption: Int?
  private let label: Int?

  /// Bytes that an image file may have.
  static let imageLimit = 256 << 20

  /// Opens a table; the caption or the label may be missing, not both.
  ///
  /// - Throws: `notFound` for a missing file or column; as `DelimitedText`.
  init(path: String, columns: DatasetColumns) throws(CLIPError) {
    table = try DelimitedText(path: path)
    folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    image = try table.column(columns.image)
    label = table.columns.contains(columns.label) ? try table.column(columns.label) : nil
    caption =
      label == nil || table.columns.contains(columns.caption)
      ? try table.column(columns.caption) : nil
  }

  var name: Substring { table.path.split(separator: "/").last ?? "" }
  var count: Int { table.count }
  var hasCaptions: Bool { caption != nil }
  var hasLabels: Bool { label != nil }
  var byteCount: Int { table.byteCount }

  /// The name of a row for messages: the image's path as the table has it, or the row's number.
  func key(at row: Int) -> String {
    guard let fields = try? table.fields(row, minimum: image + 1), !fields[image].isEmpty else {
      return "row \(row + 1)"
    }
    return fields[image]
  }

  /// Reads a row and its image file.
  ///
  /// - Throws: `format` for a row that lacks fields or has no number for a label; `notFound` and
  ///   `io` for the image.
  func image(at row: Int) throws(CLIPError) -> CaptionedImage {
    let fields = try table.fields(row, minimum: max(image, caption ?? 0, label ?? 0) + 1)
    let path = fields[image]
    guard !path.isEmpty else {
      throw CLIPError(.format, "'\(table.path)': row \(row + 1) names no image; expected a path")
    }
    let bytes = try MappedFile.read(
      path.hasPrefix("/") ? path : folder + path, limit: Self.imageLimit)
    return CaptionedImage(
      key: path, image: .file(bytes), caption: caption.map { fields[$0] } ?? "",
      label: try label.flatMap { (column) throws(CLIPError) in
        try classIndex(fields[column], row: row)
      })
  }

  /// The label of a row; `nil` where the field is empty.
  private func classIndex(_ field: String, row: Int) throws(CLIPError) -> Int32? {
    let text = field.trimmed
    guard !text.isEmpty else { return nil }
    guard let value = Int32(text), value >= 0 else {
      throw CLIPError(
        .format,
        "'\(table.path)': row \(row + 1) has no class index; expected an integer from 0, "
          + "got '\(text.prefix(40))'")
    }
    return value
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
