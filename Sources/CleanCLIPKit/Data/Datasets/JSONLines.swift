/// Rows of a file with a JSON object on each line, as Hugging Face's `metadata.jsonl`: the path of an image
/// below the file's folder, a caption, a label. Only the place of each row is kept.
struct JSONLines: PairSource {
  private let file: InputFile
  private let rows: [Range<Int>]
  private let folder: FilePath
  private let imageMember: String
  private let captionMember: String?
  private let labelMember: String
  /// The members of the first row.
  let columns: [String]

  private static let rowLimit = 16 << 20

  /// Opens a file and finds its rows.
  ///
  /// - Throws: `notFound`, `io`; `notFound` also when the first row names no image or not the caption that
  ///   was asked for; `format` for a first row that is no object.
  init(path: String, columns names: DatasetColumns) throws(CLIPError) {
    file = try InputFile(path)
    let bytes = try file.read(0..<file.count)
    try file.checkUnchanged()
    var rows: [Range<Int>] = []
    for line in bytes.split(separator: 0x0A) where line.contains(where: { $0 > 0x20 }) {
      rows.append(line.startIndex..<line.endIndex)
    }
    self.rows = rows
    folder = FilePath(ModelPaths.folder(of: path))
    guard let first = rows.first else {
      throw CLIPError(
        .format, "'\(path)': is empty; expected a JSON object on each line, got no text")
    }
    let members = try Self.object(bytes[first], path: path, row: 0)
    columns = members.keys
    func member(_ candidates: [String]) throws(CLIPError) -> String {
      guard let name = candidates.first(where: { members[$0] != nil }) else {
        throw CLIPError(
          .notFound,
          "'\(path)': no member '\(candidates[0])'; expected it in the first row, got "
            + members.keys.prefix(20).map { "'\($0)'" }.joined(separator: ", ")
            + "; name the column in the options")
      }
      return name
    }
    imageMember = try member(names.images)
    captionMember =
      names.captions.count == 1
      ? try member(names.captions) : names.captions.first { members[$0] != nil }
    labelMember = names.label
  }

  var count: Int { rows.count }
  var hasCaptions: Bool { captionMember != nil }
  var usesColumns: Bool { true }
  var hasLabels: Bool { columns.contains(labelMember) }
  var identity: [String] {
    ["\(file.path.split(separator: "/").last ?? "") \(count) \(file.count)"]
  }

  /// The path of the image as the row has it, or the row's number.
  func key(at row: Int) -> String {
    (try? members(row))?[imageMember]?.string ?? "row \(row + 1)"
  }

  /// The paths of the images as the rows have them, of those that can be read.
  func imagePaths() -> [FilePath] {
    (0..<count).compactMap { row in
      ((try? members(row))?[imageMember]?.string).map { FilePath($0) }
    }
  }

  func reads(_ file: FileIdentity, name: [UInt8]) -> Bool {
    FileIdentity(file: self.file.path) == file
      || Self.contains(file, name: name, among: imagePaths(), below: folder)
  }

  func image(at row: Int) throws(CLIPError) -> CaptionedImage {
    let members = try members(row)
    guard let path = members[imageMember]?.string, let first = path.utf8.first else {
      throw CLIPError(
        .format,
        "'\(file.path)': row \(row + 1) names no image; expected a path in '\(imageMember)'")
    }
    var caption = ""
    if let captionMember, let value = members[captionMember], value != .null {
      guard let text = value.string else {
        throw CLIPError(
          .format,
          "'\(file.path)': caption of row \(row + 1) is no text; expected a string, got "
            + value.serialized().prefix(40))
      }
      caption = text
    }
    let image = first == UInt8(ascii: "/") ? FilePath(path) : FilePath(folder.bytes + path.utf8)
    return CaptionedImage(
      key: path, image: .file(try image.read(limit: CaptionTable.imageLimit)), caption: caption,
      label: Self.label(members[labelMember]))
  }

  func label(at row: Int) throws(CLIPError) -> ClassLabel? {
    Self.label(try members(row)[labelMember])
  }

  private static func label(_ value: JSONValue?) -> ClassLabel? {
    guard let value, value != .null else { return nil }
    let text = (value.string ?? value.serialized()).trimmed
    return text.isEmpty ? nil : .text(text)
  }

  private func members(_ row: Int) throws(CLIPError) -> JSONObject {
    guard rows[row].count <= Self.rowLimit else {
      throw CLIPError(
        .format,
        "'\(file.path)': row \(row + 1) is too long; expected at most \(Self.rowLimit) bytes, got "
          + "\(rows[row].count)")
    }
    let bytes = try file.read(rows[row])
    try file.checkUnchanged()
    return try Self.object(bytes[...], path: file.path, row: row)
  }

  private static func object(
    _ bytes: ArraySlice<UInt8>, path: String, row: Int
  ) throws(CLIPError) -> JSONObject {
    let name = "\(path): row \(row + 1)"
    let json = try JSONValue.parse(try RawText.decode(bytes, name: name), name: name)
    guard let object = json.object else {
      throw CLIPError(.format, "'\(name)': is no object; expected '{', got another value")
    }
    return object
  }
}
