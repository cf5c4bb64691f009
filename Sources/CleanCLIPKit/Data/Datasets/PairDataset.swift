/// Images with captions, labels or both: tables, WebDataset shards, folders, or what a host holds.
///
/// Only an index is in memory; images and captions are read row by row, from any thread.
package final class PairDataset: Sendable {
  private let sources: [any PairSource]
  /// The first row of each source, and the number of all rows.
  private let starts: [Int]
  /// Whether rows have captions, as far as the index tells; always for rows of a host.
  package let hasCaptions: Bool
  /// Whether rows have labels, as far as the index tells; always for rows of a host.
  package let hasLabels: Bool
  /// The names of class folders of all sources, sorted by their characters' codes: the class of an
  /// image is its folder's place among them.
  package let classFolders: [String]
  private let classOfFolder: [String: Int32]
  /// What the files hold that is no row.
  package let omissions: Omissions
  /// The rows of the sources that are used; `nil` for all.
  private let kept: [Int]?
  private let extraOmissions: Omissions
  /// What tells this dataset from another: names and sizes of files and the number of rows.
  package let identity: String

  /// Makes a dataset of rows that a host holds.
  ///
  /// - Parameters:
  ///   - count: the number of rows, at least 1.
  ///   - identity: what tells the rows from others when training resumes.
  ///   - row: returns a row; called from threads of the loader, from one at a time.
  package convenience init(
    count: Int, identity: String = "host",
    row: @escaping @Sendable (Int) throws(CLIPError) -> CaptionedImage
  ) throws(CLIPError) {
    guard count > 0 else {
      throw CLIPError(
        .invalidArgument, "data: dataset is empty; expected at least 1 row, got \(count)")
    }
    self.init(
      [HostRows(count: count, name: identity, row: row)], identity: "\(identity), \(count) rows")
  }

  /// What a row of a host is called that has no name of its own: by its index, from 0.
  package static func hostKey(_ index: Int) -> String { "pair \(index)" }

  /// Makes a dataset of rows in memory.
  package convenience init(_ rows: [CaptionedImage]) throws(CLIPError) {
    try self.init(count: rows.count, identity: "memory") { index in rows[index] }
  }

  /// - Parameters:
  ///   - omissions: what was left out beside what the sources leave out.
  ///   - identity: `nil` for a checksum of the sources' own.
  ///   - kept: the rows that are used, ascending; `nil` for all.
  init(
    _ sources: [any PairSource], omissions: Omissions = Omissions(), identity: String? = nil,
    kept: [Int]? = nil
  ) {
    extraOmissions = omissions
    var starts = [0]
    var omissions = omissions
    var checksum = Checksum()
    var folders: Set<String> = []
    for source in sources {
      for text in source.identity { checksum.add(text) }
      omissions.add(source.omissions)
      folders.formUnion(source.classFolders)
      starts.append(starts[starts.count - 1] + source.count)
    }
    self.sources = sources
    self.starts = starts
    self.omissions = omissions
    self.kept = kept
    for row in kept ?? [] { checksum.add("\(row)") }
    self.identity =
      identity
      ?? "\(kept?.count ?? starts[starts.count - 1]) rows of \(sources.count) files, \(checksum.text)"
    hasCaptions = sources.contains(where: \.hasCaptions)
    hasLabels = sources.contains(where: \.hasLabels)
    classFolders = folders.sorted()
    var classes: [String: Int32] = [:]
    for (index, name) in classFolders.enumerated() {
      classes[name] = Int32(truncatingIfNeeded: index)
    }
    classOfFolder = classes
  }

  /// The number of rows.
  package var count: Int { kept?.count ?? starts[starts.count - 1] }

  /// Whether these are some of the rows that the sources have.
  var isSelection: Bool { kept != nil }

  /// Returns a dataset of some of the rows.
  ///
  /// - Parameter rows: in 0 ..< count, ascending.
  package func keeping(_ rows: [Int]) -> PairDataset {
    PairDataset(sources, omissions: extraOmissions, kept: rows.map { kept?[$0] ?? $0 })
  }

  /// The names in the headers of tables, for messages.
  var columns: [String] { sources.flatMap(\.columns) }

  /// Whether a file is one that the sources are read from: a table, an image, a caption.
  func reads(_ path: String) -> Bool {
    guard let file = FileIdentity(file: path) else { return false }
    let name = Array(FilePath(path).name)
    return sources.contains { $0.reads(file, name: name) }
  }

  /// Refuses to replace a file that the sources are read from.
  ///
  /// - Parameter path: of an output; `nil` for none.
  /// - Throws: `invalidArgument`, naming it.
  package func checkNotRead(_ path: String?) throws(CLIPError) {
    if let path, reads(path) { throw CLIPError.bothWays(path) }
  }

  /// Why the rows have no captions, for people; `nil` where they have.
  package var captionHint: String? {
    guard !hasCaptions else { return nil }
    let names = columns.prefix(20).map { "'\($0)'" }.joined(separator: ", ")
    return
      "data: no captions; expected them in a column 'caption', 'text' or 'title', in .txt files beside images, "
      + "or in JSON, got " + (names.isEmpty ? "none" : "the columns \(names)")
      + "; name the column in the options"
  }

  /// Reads a row.
  ///
  /// - Parameter index: 0 ..< count.
  /// - Throws: what is wrong with this row; others may be whole.
  package func row(at index: Int) throws(CLIPError) -> CaptionedImage {
    let (source, local) = locate(index)
    return try source.image(at: local)
  }

  /// What a row is called, without reading its image.
  package func key(at index: Int) -> String {
    let (source, local) = locate(index)
    return source.key(at: local)
  }

  /// Reads the label of a row, without its image where that is possible; `nil` where there is none.
  ///
  /// - Throws: what is wrong with this row.
  package func label(at index: Int) throws(CLIPError) -> ClassLabel? {
    let (source, local) = locate(index)
    return try source.label(at: local)
  }

  /// Returns the index of the class that a label of this dataset means, from 0; class folders count in
  /// their order.
  ///
  /// - Throws: `format` for a label that is no index.
  package func classIndex(of label: ClassLabel, key: String) throws(CLIPError) -> Int32 {
    if case .folder(let name) = label, let index = classOfFolder[name] { return index }
    guard let index = label.number, index >= 0 else {
      throw CLIPError(
        .format,
        "'\(key)': label is no class index; expected an integer from 0, got '\(label.shown)'")
    }
    return index
  }

  private func locate(_ index: Int) -> (any PairSource, Int) {
    precondition(index >= 0 && index < count, "rows are 0 ..< count")
    let index = kept?[index] ?? index
    // The last source that starts at or before the row.
    var low = 0
    var high = sources.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= index { low = middle } else { high = middle }
    }
    return (sources[low], index - starts[low])
  }
}

/// FNV-1a over texts: tells one list of files from another, not more.
private struct Checksum {
  private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func add(_ text: String) {
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    // Ends the text, for no UTF-8 holds this byte.
    hash = (hash ^ 0xFF) &* 0x100_0000_01B3
  }

  var text: String { String(hash, radix: 16) }
}
