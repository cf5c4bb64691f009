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
}

extension PairSource {
  var classFolders: [String] { [] }
  var columns: [String] { [] }
  var omissions: Omissions { Omissions() }
  func label(at row: Int) throws(CLIPError) -> ClassLabel? { try image(at: row).label }
}
