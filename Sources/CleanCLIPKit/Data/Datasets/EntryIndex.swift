/// Files of a shard or a folder as rows, by their names.
///
/// `KEY.jpg`, `.jpeg`, `.png` or `.webp` is an image, also any name whose content is one of these;
/// `KEY.txt` or `KEY.json` its caption, `KEY.cls` its label. Entries of a key need not be neighbours. A
/// key with several images, captions or both gives as many rows: the first image with the first
/// caption, and so on; the last of the fewer goes with the rest.
struct EntryIndex {
  /// The numbers of the entries that make a row.
  struct Row: Sendable {
    let key: String
    let image: Int
    let caption: Int?
    let json: Int?
    let label: Int?
  }

  private enum Kind { case image, caption, json, label }

  private struct Group {
    var images: [Int] = []
    var captions: [Int] = []
    var jsons: [Int] = []
    var labels: [Int] = []
    /// The key up to its first dot, where the rest is no ending: `KEY` of `KEY.more.png`.
    var shortKey: [UInt8]?
  }

  private var groups: [[UInt8]: Group] = [:]
  private(set) var omissions = Omissions()

  private static let kinds: [String: Kind] = [
    "jpg": .image, "jpeg": .image, "png": .image, "webp": .image, "txt": .caption, "json": .json,
    "cls": .label,
  ]
  private static let otherImages: Set<String> = [
    "gif", "bmp", "tif", "tiff", "avif", "heic", "heif", "jxl", "jp2", "j2k", "ppm", "pgm", "tga",
    "ico", "svg", "dng", "exr", "psd",
  ]
  private static let appleDouble: [UInt8] = [0x00, 0x05, 0x16, 0x07]

  /// Adds a file.
  ///
  /// - Parameters:
  ///   - path: its path in the shard or folder.
  ///   - entry: its number, higher than those before.
  ///   - place: what messages call the file.
  ///   - head: reads its first 12 bytes; called where the name does not tell.
  mutating func add(
    _ path: FilePath, entry: Int, place: @autoclosure () -> String, head: () -> [UInt8]
  ) {
    let slash = UInt8(ascii: "/")
    let start = path.bytes.lastIndex(of: slash).map { $0 + 1 } ?? 0
    let firstDot = path.bytes[start...].firstIndex(of: UInt8(ascii: "."))
    let lastDot = path.bytes.lastIndex(of: UInt8(ascii: "."))
    func ending(_ dot: Int?) -> String {
      guard let dot, dot >= start else { return "" }
      return RawText.text(path.bytes[(dot + 1)...]).lowercased()
    }
    let kind = Self.kinds[ending(lastDot)]
    guard !Self.isHidden(path) else {
      let isData = kind == .image && !head().starts(with: Self.appleDouble)
      return omissions.add(isData ? .hidden : .otherFile, place())
    }
    if let kind, let lastDot {
      let shortKey =
        firstDot != lastDot ? firstDot.map { Array(path.bytes[..<$0]) } : nil
      return add(kind, Array(path.bytes[..<lastDot]), shortKey, entry)
    }
    switch Self.content(head()) {
    case .image:
      let end = lastDot.flatMap { $0 > start ? $0 : nil } ?? path.bytes.count
      add(.image, Array(path.bytes[..<end]), nil, entry)
    case .otherImage: omissions.add(.otherFormat, place())
    case .unknown:
      let isImage = Self.otherImages.contains(ending(lastDot))
      omissions.add(isImage ? .otherFormat : .otherFile, place())
    }
  }

  /// Whether a file of this name would be a row or belong to one.
  static func isData(_ path: FilePath) -> Bool {
    guard let dot = path.name.lastIndex(of: UInt8(ascii: ".")) else { return false }
    let ending = RawText.text(path.name[(dot + 1)...]).lowercased()
    return kinds[ending] != nil || otherImages.contains(ending)
  }

  mutating func omit(_ reason: Omissions.Reason, _ place: @autoclosure () -> String) {
    omissions.add(reason, place())
  }

  private mutating func add(_ kind: Kind, _ key: [UInt8], _ shortKey: [UInt8]?, _ entry: Int) {
    var group = groups[key] ?? Group(shortKey: shortKey)
    switch kind {
    case .image: group.images.append(entry)
    case .caption: group.captions.append(entry)
    case .json: group.jsons.append(entry)
    case .label: group.labels.append(entry)
    }
    groups[key] = group
  }

  /// Returns the rows in the order of their images; what has no image is counted.
  ///
  /// - Parameter place: what messages call a key.
  mutating func rows(place: (String) -> String) -> [Row] {
    var rows: [Row] = []
    for (key, group) in groups {
      let name = RawText.text(key)
      if group.images.isEmpty {
        // JSON alone is metadata of another kind.
        for _ in group.captions + group.labels { omissions.add(.captionAlone, place(name)) }
        for _ in group.jsons { omissions.add(.otherFile, place(name)) }
        continue
      }
      let isAlone = group.captions.isEmpty && group.jsons.isEmpty && group.labels.isEmpty
      if isAlone, let short = group.shortKey, groups[short]?.images.isEmpty == false {
        for _ in group.images { omissions.add(.sideImage, place(name)) }
        continue
      }
      func member(_ list: [Int], _ row: Int) -> Int? {
        list.isEmpty ? nil : list[min(row, list.count - 1)]
      }
      let captions = group.captions.isEmpty ? group.jsons.count : group.captions.count
      for row in 0..<max(group.images.count, captions) {
        rows.append(
          Row(
            key: name, image: group.images[min(row, group.images.count - 1)],
            caption: member(group.captions, row), json: member(group.jsons, row),
            label: member(group.labels, row)))
      }
    }
    groups = [:]
    return rows.sorted { ($0.image, $0.caption ?? -1) < ($1.image, $1.caption ?? -1) }
  }

  /// Whether the name, or a folder in the path, begins with a dot; `.` and `..` do not count.
  static func isHidden(_ path: FilePath) -> Bool {
    path.bytes.split(separator: UInt8(ascii: "/")).contains { part in
      part.first == UInt8(ascii: ".") && part.contains { $0 != UInt8(ascii: ".") }
    }
  }

  /// Whether the first bytes of a file are those of an image that can be read.
  static func isImage(_ head: [UInt8]) -> Bool { content(head) == .image }

  private enum Content { case image, otherImage, unknown }

  /// What the first bytes of a file say.
  private static func content(_ head: [UInt8]) -> Content {
    if head.starts(with: [0xFF, 0xD8, 0xFF]) { return .image }
    if head.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return .image }
    let format = head.dropFirst(8).prefix(4)
    if head.starts(with: Array("RIFF".utf8)), format.elementsEqual("WEBP".utf8) { return .image }
    let isOther =
      head.starts(with: Array("GIF8".utf8)) || head.starts(with: [0x49, 0x49, 0x2A, 0x00])
      || head.starts(with: [0x4D, 0x4D, 0x00, 0x2A])
      || ["avif", "heic", "mif1"].contains { format.elementsEqual($0.utf8) }
    return isOther ? .otherImage : .unknown
  }
}
