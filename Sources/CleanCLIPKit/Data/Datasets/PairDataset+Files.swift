internal import Glibc

extension PairDataset {
  /// Opens files.
  ///
  /// - Parameters:
  ///   - specification: csv and tsv tables, `.jsonl` files, tar shards, folders of these or of images,
  ///     image files; patterns as the shell's.
  ///   - columns: names in tables.
  ///   - keep: the path of a list of rows, see `RowList`; `nil` for all rows.
  /// - Throws: `notFound` for a missing file or column; `format` for a broken file; `unsupported` for
  ///   another kind of file; `invalidArgument` when there is no row at all, and for names of columns where
  ///   there is nothing that has any.
  package static func open(
    _ specification: [String], columns: DatasetColumns = DatasetColumns(), keep: String? = nil
  ) throws(CLIPError) -> PairDataset {
    let expected = "images or files that list them"
    guard !specification.isEmpty else {
      throw CLIPError(.invalidArgument, "data: nothing to open; expected \(expected), got none")
    }
    var opener = SourceOpener(columns: columns)
    for pattern in specification {
      for path in try SourcePattern.expand(pattern, for: expected) { try opener.open(path) }
    }
    opener.finish()
    let dataset = PairDataset(opener.sources, omissions: opener.omissions)
    guard dataset.count > 0 else {
      throw CLIPError(
        .invalidArgument,
        "data: dataset is empty; expected images in "
          + specification.prefix(4).map { "'\($0)'" }.joined(separator: ", ") + ", got no row"
          + (dataset.omissions.lines.first.map { " (\($0))" } ?? ""))
    }
    try columns.checkUse(by: opener.sources)
    guard let keep else { return dataset }
    return dataset.keeping(try RowList.read(keep, of: dataset))
  }
}

/// Opens paths one after another as sources.
private struct SourceOpener {
  let columns: DatasetColumns
  private(set) var sources: [any PairSource] = []
  /// Image files that were named one after another.
  private var images: [String] = []
  /// What folders hold that is no source.
  private(set) var omissions = Omissions()

  init(columns: DatasetColumns) { self.columns = columns }

  mutating func open(_ path: String) throws(CLIPError) {
    var status = stat()
    guard stat(path, &status) == 0 else { throw CLIPError.system(path, "open the file") }
    guard status.st_mode & S_IFMT != S_IFDIR else { return try openFolder(path) }
    switch Self.ending(FilePath(path)) {
    case "csv", "tsv": add(try CaptionTable(path: path, columns: columns))
    case "jsonl": add(try JSONLines(path: path, columns: columns))
    case "tar": add(try TarShard(path: path, columns: columns))
    case "tgz", "gz", "zst", "xz":
      throw CLIPError(
        .unsupported, "'\(path)': file is compressed; expected a plain tar; decompress it first")
    case let kind:
      guard try Self.isImage(path, kind) else {
        throw CLIPError(
          .unsupported,
          "'\(path)': not a kind of dataset; expected .csv, .tsv, .jsonl, .tar, a folder or a JPEG, "
            + "PNG or WebP image, got " + (kind.isEmpty ? "no extension" : ".\(kind)"))
      }
      images.append(path)
    }
  }

  /// By its name or, where that says nothing, by its first bytes.
  private static func isImage(_ path: String, _ ending: String) throws(CLIPError) -> Bool {
    if ["jpg", "jpeg", "png", "webp"].contains(ending) { return true }
    return EntryIndex.isImage(try FilePath(path).read(limit: .max, prefix: 12))
  }

  private mutating func add(_ source: any PairSource) {
    finish()
    sources.append(source)
  }

  /// Makes a source of the image files that were named since the last one of another kind.
  mutating func finish() {
    guard !images.isEmpty else { return }
    sources.append(ImageFiles(images))
    images = []
  }

  /// The tables and shards in a folder and its subfolders, and those images that no table names.
  private mutating func openFolder(_ path: String) throws(CLIPError) {
    finish()
    let folder = FilePath(path)
    let walk = try FolderWalk(folder)
    omissions.add(walk.omissions)
    var named: Set<FilePath> = []
    var rest: [FilePath] = []
    var problem: CLIPError?
    let sourcesBefore = sources.count
    for file in walk.files {
      let whole = folder.appending(file.bytes)
      let ending = Self.ending(file)
      let isHidden = EntryIndex.isHidden(file)
      guard ["csv", "tsv", "jsonl", "tar"].contains(ending) || Self.otherData.contains(ending)
      else {
        rest.append(file)
        continue
      }
      guard !isHidden, let text = String(validating: whole.bytes, as: UTF8.self),
        !Self.otherData.contains(ending)
      else {
        omissions.add(isHidden ? .hidden : .otherData, "'\(whole.text)'")
        continue
      }
      guard ending != "tar" else {
        sources.append(try TarShard(path: text, columns: columns))
        continue
      }
      do throws(CLIPError) {
        let paths: [FilePath]
        if ending == "jsonl" {
          let lines = try JSONLines(path: text, columns: columns)
          sources.append(lines)
          paths = lines.imagePaths()
        } else {
          let table = try CaptionTable(path: text, columns: columns)
          sources.append(table)
          paths = table.imagePaths()
        }
        let parent = FilePath(Array(file.bytes.dropLast(file.name.count)))
        for image in paths { named.insert(Self.joined(parent, image)) }
      } catch {
        guard error.code == .notFound else { throw error }
        problem = problem ?? error
        omissions.add(.otherTable, error.message)
      }
    }
    let images = ImageFolder(
      path: folder, files: rest.filter { !named.contains($0) }, columns: columns)
    omissions.add(images.count > 0 ? Omissions() : images.omissions)
    if images.count > 0 { sources.append(images) }
    if let problem, sources.count == sourcesBefore { throw problem }
  }

  private static let otherData: Set<String> = [
    "gz", "tgz", "zst", "xz", "bz2", "zip", "7z", "rar", "parquet", "arrow", "feather", "tfrecord",
    "xlsx",
  ]

  /// A table's path below its folder, without `./`.
  private static func joined(_ folder: FilePath, _ image: FilePath) -> FilePath {
    var bytes = image.bytes[...]
    while bytes.starts(with: Array("./".utf8)) { bytes = bytes.dropFirst(2) }
    return FilePath(folder.bytes + bytes)
  }

  private static func ending(_ path: FilePath) -> String {
    let name = path.name
    guard let dot = name.lastIndex(of: UInt8(ascii: ".")), dot > name.startIndex else { return "" }
    return RawText.text(name[(dot + 1)...]).lowercased()
  }
}
