/// Where rows of a dataset come from: a table, a shard, a folder, or a host.
///
/// A source is an index; images and captions are read row by row, from any thread.
protocol PairSource: Sendable {
  /// The number of rows.
  var count: Int { get }
  /// Whether rows have captions, as far as the index tells.
  var hasCaptions: Bool { get }
  /// Whether rows have labels, as far as the index tells.
  var hasLabels: Bool { get }
  /// The names of class folders, sorted; empty for anything but a folder.
  var classFolders: [String] { get }
  /// The names in the header of a table; empty for anything else.
  var columns: [String] { get }
  /// Whether names of columns are looked for: in tables, and in JSON beside images.
  var usesColumns: Bool { get }
  /// What the source holds that is no row.
  var omissions: Omissions { get }
  /// What tells the source from others: names, sizes, numbers of rows.
  var identity: [String] { get }

  /// What a row is called, without reading its image.
  func key(at row: Int) -> String

  /// Reads a row.
  ///
  /// - Parameter row: 0 ..< count.
  /// - Throws: what is wrong with this row; others may be whole.
  func image(at row: Int) throws(CLIPError) -> CaptionedImage

  /// Reads the label of a row, without its image where that is possible; `nil` where there is none.
  ///
  /// - Throws: as `image`.
  func label(at row: Int) throws(CLIPError) -> ClassLabel?

  /// Whether a file is read for the index or for a row.
  ///
  /// - Parameter name: the last part of its path.
  func reads(_ file: FileIdentity, name: [UInt8]) -> Bool
}

extension PairSource {
  var classFolders: [String] { [] }
  var columns: [String] { [] }
  var omissions: Omissions { Omissions() }
  var usesColumns: Bool { false }
  func reads(_ file: FileIdentity, name: [UInt8]) -> Bool { false }

  /// Whether a file is one of those, which are looked for where their names are alike.
  static func contains(
    _ file: FileIdentity, name: [UInt8], among paths: some Sequence<FilePath>,
    below folder: FilePath
  ) -> Bool {
    paths.contains { path in
      guard path.name.elementsEqual(name) else { return false }
      let isWhole = path.bytes.first == UInt8(ascii: "/")
      let whole = isWhole || folder.bytes.isEmpty ? path : folder.appending(path.bytes)
      return FileIdentity(file: RawText.text(whole.bytes)) == file
    }
  }
  func label(at row: Int) throws(CLIPError) -> ClassLabel? { try image(at: row).label }
}
