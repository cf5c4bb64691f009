/// A folder of image files, with those in its subfolders; their names make rows, see `EntryIndex`.
///
/// The subfolder that an image is in, of those directly below the folder, is its class, as in ImageNet
/// and torchvision's `ImageFolder`.
struct ImageFolder: PairSource {
  private let path: FilePath
  /// Paths below the folder.
  private let files: [FilePath]
  private let rows: [EntryIndex.Row]
  let omissions: Omissions
  let classFolders: [String]
  private let captionMember: String

  /// - Parameter files: paths below the folder, sorted.
  init(path: FilePath, files: [FilePath], columns: DatasetColumns) {
    var index = EntryIndex()
    for (entry, file) in files.enumerated() {
      let whole = path.appending(file.bytes)
      index.add(file, entry: entry, place: "'\(whole.text)'") {
        (try? whole.read(limit: .max, prefix: 12)) ?? []
      }
    }
    rows = index.rows { key in "'\(path.appending(key.utf8).text)'" }
    omissions = index.omissions
    captionMember = columns.caption
    classFolders = Set(rows.compactMap { Self.classFolder(of: files[$0.image]) }).sorted()
    self.path = path
    self.files = files
  }

  var count: Int { rows.count }
  var hasCaptions: Bool { rows.contains { $0.caption != nil || $0.json != nil } }
  var usesColumns: Bool { rows.contains { $0.json != nil } }
  var hasLabels: Bool { !classFolders.isEmpty || rows.contains { $0.label != nil } }
  var identity: [String] { rows.map { files[$0.image].text } }

  func key(at row: Int) -> String { files[rows[row].image].text }

  func reads(_ file: FileIdentity, name: [UInt8]) -> Bool {
    let entries = rows.lazy.flatMap { row in
      [row.image, row.caption, row.json, row.label].compactMap(\.self)
    }
    return Self.contains(file, name: name, among: entries.map { files[$0] }, below: path)
  }

  func image(at index: Int) throws(CLIPError) -> CaptionedImage {
    let row = rows[index]
    let bytes = try path.appending(files[row.image].bytes).read(limit: CaptionTable.imageLimit)
    var caption = ""
    if let entry = row.caption {
      caption = try text(of: entry)
    } else if let entry = row.json {
      let member = try JSONValue.parse(try text(of: entry), name: files[entry].text)[captionMember]
      caption = member?.string ?? ""
    }
    return CaptionedImage(
      key: key(at: index), image: .file(bytes), caption: caption, label: try label(at: index))
  }

  func label(at index: Int) throws(CLIPError) -> ClassLabel? {
    let row = rows[index]
    if let entry = row.label {
      return try ClassLabel(file: try text(of: entry), name: row.key)
    }
    return Self.classFolder(of: files[row.image]).map { .folder($0) }
  }

  private func text(of entry: Int) throws(CLIPError) -> String {
    let file = path.appending(files[entry].bytes)
    return try RawText.decode(try file.read(limit: TarShard.textLimit), name: file.text)
  }

  /// The first folder of a path; `nil` for a file directly below.
  private static func classFolder(of file: FilePath) -> String? {
    file.bytes.firstIndex(of: UInt8(ascii: "/")).map { RawText.text(file.bytes[..<$0]) }
  }
}
