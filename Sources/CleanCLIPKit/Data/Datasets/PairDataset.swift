internal import Glibc
internal import Synchronization

/// Images with captions, labels or both: tables, WebDataset shards, folders, or what a host holds.
///
/// Only an index is in memory; images and captions are read row by row, from any thread.
package final class PairDataset: Sendable {
  private enum Source: Sendable {
    case table(CaptionTable)
    case shard(TarShard)
    case folder(ImageFolder)
    case host(HostRows)
  }

  /// Rows of a host, asked for by one thread at a time.
  private final class HostRows: Sendable {
    let count: Int
    let row: @Sendable (Int) throws(CLIPError) -> CaptionedImage
    let turn = Mutex(())

    init(count: Int, row: @escaping @Sendable (Int) throws(CLIPError) -> CaptionedImage) {
      self.count = count
      self.row = row
    }
  }

  private let sources: [Source]
  /// The first row of each source, and the number of all rows.
  private let starts: [Int]
  /// Whether rows have captions, as far as the index tells; always for rows of a host.
  package let hasCaptions: Bool
  /// Whether rows have class indices, as far as the index tells; always for rows of a host.
  package let hasLabels: Bool
  /// What the files hold that is no row.
  package let skipped: SkippedEntries
  /// What tells this dataset from another: names and sizes of files and the number of rows.
  package let identity: String

  /// Opens files.
  ///
  /// - Parameters:
  ///   - specification: csv and tsv tables, tar shards, folders of these or of images; patterns as
  ///     the shell's.
  ///   - columns: names in tables.
  /// - Throws: `notFound` for a missing file or column; `format` for a broken file; `unsupported` for
  ///   another kind of file; `invalidArgument` when there is no row at all.
  package static func open(
    _ specification: [String], columns: DatasetColumns = DatasetColumns()
  ) throws(CLIPError) -> PairDataset {
    guard !specification.isEmpty else {
      throw CLIPError(
        .invalidArgument, "data: nothing to open; expected files of captioned images, got none")
    }
    var sources: [Source] = []
    for pattern in specification {
      for path in try SourcePattern.expand(pattern) {
        sources += try open(path: path, columns: columns)
      }
    }
    return try PairDataset(sources, names: specification)
  }

  /// Makes a dataset of rows that a host holds.
  ///
  /// - Parameters:
  ///   - count: the number of rows, at least 1.
  ///   - identity: what tells the rows from others when training resumes.
  ///   - row: returns a row; called from threads of the loader, from one at a time.
  package init(
    count: Int, identity: String = "host",
    row: @escaping @Sendable (Int) throws(CLIPError) -> CaptionedImage
  ) throws(CLIPError) {
    guard count > 0 else {
      throw CLIPError(
        .invalidArgument, "data: dataset is empty; expected at least 1 row, got \(count)")
    }
    sources = [.host(HostRows(count: count, row: row))]
    starts = [0, count]
    hasCaptions = true
    hasLabels = true
    skipped = SkippedEntries()
    self.identity = "\(identity), \(count) rows"
  }

  /// Makes a dataset of rows in memory.
  package convenience init(_ rows: [CaptionedImage]) throws(CLIPError) {
    try self.init(count: rows.count, identity: "memory") { index in rows[index] }
  }

  private init(_ sources: [Source], names: [String]) throws(CLIPError) {
    var starts = [0]
    var skipped = SkippedEntries()
    var identity = Checksum()
    for source in sources {
      switch source {
      case .table(let table): identity.add("\(table.name) \(table.count) \(table.byteCount)")
      case .shard(let shard):
        identity.add("\(shard.name) \(shard.rows.count) \(shard.byteCount)")
        skipped.add(shard.skipped)
      case .folder(let folder):
        for index in 0..<folder.count { identity.add(folder.key(at: index)) }
      case .host: break
      }
      starts.append(starts[starts.count - 1] + Self.count(source))
    }
    let count = starts[starts.count - 1]
    guard count > 0 else {
      throw CLIPError(
        .invalidArgument,
        "data: dataset is empty; expected captioned images in "
          + names.prefix(4).map { "'\($0)'" }.joined(separator: ", ") + ", got no row"
          + (skipped.examples.first.map { " (\($0))" } ?? ""))
    }
    self.sources = sources
    self.starts = starts
    self.skipped = skipped
    self.identity = "\(count) rows of \(sources.count) files, \(identity.text)"
    hasCaptions = sources.contains { source in
      switch source {
      case .table(let table): table.hasCaptions
      case .shard(let shard): shard.hasCaptions
      case .folder(let folder): folder.hasCaptions
      case .host: true
      }
    }
    hasLabels = sources.contains { source in
      switch source {
      case .table(let table): table.hasLabels
      case .shard(let shard): shard.hasLabels
      case .folder: false
      case .host: true
      }
    }
  }

  /// The number of rows.
  package var count: Int { starts[starts.count - 1] }

  /// Reads a row.
  ///
  /// - Parameter index: 0 ..< count.
  /// - Throws: what is wrong with this row; others may be whole.
  package func row(at index: Int) throws(CLIPError) -> CaptionedImage {
    let (source, local) = locate(index)
    switch source {
    case .table(let table): return try table.image(at: local)
    case .shard(let shard): return try shard.image(at: local)
    case .folder(let folder): return try folder.image(at: local)
    case .host(let rows):
      let result = rows.turn.withLock { _ in
        Result { () throws(CLIPError) in try rows.row(local) }
      }
      return try result.get()
    }
  }

  /// What a row is called, without reading its image.
  package func key(at index: Int) -> String {
    let (source, local) = locate(index)
    switch source {
    case .table(let table): return table.key(at: local)
    case .shard(let shard): return shard.rows[local].key
    case .folder(let folder): return folder.key(at: local)
    case .host: return "row \(local + 1)"
    }
  }

  private func locate(_ index: Int) -> (Source, Int) {
    precondition(index >= 0 && index < count, "rows are 0 ..< count")
    // The last source that starts at or before the row.
    var low = 0
    var high = sources.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= index { low = middle } else { high = middle }
    }
    return (sources[low], index - starts[low])
  }

  private static func count(_ source: Source) -> Int {
    switch source {
    case .table(let table): table.count
    case .shard(let shard): shard.rows.count
    case .folder(let folder): folder.count
    case .host(let rows): rows.count
    }
  }

  private static func open(
    path: String, columns: DatasetColumns
  ) throws(CLIPError) -> [Source] {
    var status = stat()
    guard stat(path, &status) == 0 else { throw CLIPError.system(path, "open the file") }
    if status.st_mode & S_IFMT == S_IFDIR { return try openFolder(path, columns: columns) }
    switch ImageFolder.fileExtension(path) {
    case "csv", "tsv": return [.table(try CaptionTable(path: path, columns: columns))]
    case "tar": return [.shard(try TarShard(path: path, columns: columns))]
    case "tgz", "gz", "zst", "xz":
      throw CLIPError(
        .unsupported, "'\(path)': file is compressed; expected a plain tar; decompress it first")
    case let kind:
      throw CLIPError(
        .unsupported,
        "'\(path)': not a kind of dataset; expected .csv, .tsv, .tar or a folder, got "
          + (kind.isEmpty ? "no extension" : ".\(kind)"))
    }
  }

  /// The shards and tables in a folder; where there are none, its images.
  private static func openFolder(
    _ path: String, columns: DatasetColumns
  ) throws(CLIPError) -> [Source] {
    let files = try ImageFolder.files(in: path)
    let data = files.filter { name in
      !name.contains("/") && ["csv", "tsv", "tar"].contains(ImageFolder.fileExtension(name))
    }
    if data.isEmpty {
      return ImageFolder(path: path, files: files).map { [.folder($0)] } ?? []
    }
    var sources: [Source] = []
    for name in data { sources += try open(path: "\(path)/\(name)", columns: columns) }
    return sources
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
