/// A csv or tsv file of image paths with captions, labels, or both.
struct CaptionTable: PairSource {
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

  var count: Int { table.count }
  var hasCaptions: Bool { caption != nil }
  var hasLabels: Bool { label != nil }
  var identity: [String] {
    ["\(table.path.split(separator: "/").last ?? "") \(table.count) \(table.byteCount)"]
  }

  /// The name of a row for messages: the image's path as the table has it, or the row's number.
  func key(at row: Int) -> String {
    guard let fields = try? table.fields(row, minimum: image + 1), !fields[image].isEmpty else {
      return "row \(row + 1)"
    }
    return fields[image]
  }

  /// Reads a row and its image file.
  ///
  /// - Throws: `format` for a row that lacks fields; `notFound` and `io` for the image.
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
      label: label.flatMap { Self.label(fields[$0]) })
  }

  func label(at row: Int) throws(CLIPError) -> ClassLabel? {
    guard let label else { return nil }
    return Self.label(try table.fields(row, minimum: label + 1)[label])
  }

  /// What a field says; `nil` where it is empty.
  private static func label(_ field: String) -> ClassLabel? {
    let text = field.trimmed
    return text.isEmpty ? nil : .text(text)
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
