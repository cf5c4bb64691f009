/// Image files that are named singly: rows without captions and labels, called by their paths.
struct ImageFiles: PairSource {
  private let paths: [String]

  init(_ paths: [String]) { self.paths = paths }

  var count: Int { paths.count }
  var hasCaptions: Bool { false }
  var hasLabels: Bool { false }
  var identity: [String] { paths }

  func key(at row: Int) -> String { paths[row] }

  func image(at row: Int) throws(CLIPError) -> CaptionedImage {
    let bytes = try FilePath(paths[row]).read(limit: CaptionTable.imageLimit)
    return CaptionedImage(key: paths[row], image: .file(bytes), caption: "")
  }

  func reads(_ file: FileIdentity, name: [UInt8]) -> Bool {
    Self.contains(file, name: name, among: paths.map { FilePath($0) }, below: FilePath(""))
  }

  func label(at row: Int) throws(CLIPError) -> ClassLabel? { nil }
}
