internal import Glibc

extension PairDataset {
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
    var sources: [any PairSource] = []
    for pattern in specification {
      for path in try SourcePattern.expand(pattern) {
        sources += try open(path: path, columns: columns)
      }
    }
    let dataset = PairDataset(sources)
    guard dataset.count > 0 else {
      throw CLIPError(
        .invalidArgument,
        "data: dataset is empty; expected captioned images in "
          + specification.prefix(4).map { "'\($0)'" }.joined(separator: ", ") + ", got no row"
          + (dataset.skipped.examples.first.map { " (\($0))" } ?? ""))
    }
    return dataset
  }

  private static func open(
    path: String, columns: DatasetColumns
  ) throws(CLIPError) -> [any PairSource] {
    var status = stat()
    guard stat(path, &status) == 0 else { throw CLIPError.system(path, "open the file") }
    if status.st_mode & S_IFMT == S_IFDIR { return try openFolder(path, columns: columns) }
    switch ImageFolder.fileExtension(path) {
    case "csv", "tsv": return [try CaptionTable(path: path, columns: columns)]
    case "tar": return [try TarShard(path: path, columns: columns)]
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
  ) throws(CLIPError) -> [any PairSource] {
    let files = try ImageFolder.files(in: path)
    let data = files.filter { name in
      !name.contains("/") && ["csv", "tsv", "tar"].contains(ImageFolder.fileExtension(name))
    }
    if data.isEmpty {
      return ImageFolder(path: path, files: files).map { [$0] } ?? []
    }
    var sources: [any PairSource] = []
    for name in data { sources += try open(path: "\(path)/\(name)", columns: columns) }
    return sources
  }
}
