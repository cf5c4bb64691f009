internal import Glibc

/// A folder of image files, with those in its subfolders; `KEY.txt` beside `KEY.jpg` is its caption.
///
/// The subfolder that an image is in, of those directly below the folder, is its class, as in ImageNet
/// and torchvision's `ImageFolder`.
struct ImageFolder: PairSource {
  let path: String
  /// Paths below the folder, sorted.
  private let images: [String]
  let hasCaptions: Bool
  let classFolders: [String]

  private static let extensions = ["jpg", "jpeg", "png", "webp"]

  init?(path: String, files: [String]) {
    images = files.filter { Self.extensions.contains(Self.fileExtension($0)) }
    guard let first = images.first else { return nil }
    self.path = path
    hasCaptions = MappedFile.exists("\(path)/\(Self.captionName(of: first))")
    classFolders = Set(images.compactMap(Self.classFolder)).sorted()
  }

  var count: Int { images.count }

  var hasLabels: Bool { !classFolders.isEmpty }
  var identity: [String] { images }

  func key(at index: Int) -> String { images[index] }

  func label(at index: Int) -> ClassLabel? {
    Self.classFolder(of: images[index]).map { .folder($0) }
  }

  /// Reads an image and its caption.
  func image(at index: Int) throws(CLIPError) -> CaptionedImage {
    let name = images[index]
    let bytes = try MappedFile.read("\(path)/\(name)", limit: CaptionTable.imageLimit)
    let captionPath = "\(path)/\(Self.captionName(of: name))"
    let caption =
      MappedFile.exists(captionPath) ? try MappedFile.read(captionPath, limit: 1 << 20) : []
    return CaptionedImage(
      key: name, image: .file(bytes), caption: String(decoding: caption, as: UTF8.self),
      label: label(at: index))
  }

  /// The first folder of a path; `nil` for a file directly below.
  private static func classFolder(of name: String) -> String? {
    name.firstIndex(of: "/").map { String(name[..<$0]) }
  }

  private static func captionName(of name: String) -> String {
    String(name.dropLast(fileExtension(name).count)) + "txt"
  }

  static func fileExtension(_ name: String) -> String {
    let file = name.split(separator: "/").last ?? ""
    guard let dot = file.lastIndex(of: "."), dot > file.startIndex else { return "" }
    return file[file.index(after: dot)...].lowercased()
  }

  /// Returns the regular files in a folder and its subfolders as sorted paths below it; hidden ones
  /// and links to folders are left out.
  ///
  /// - Throws: `io`, `notFound`; `format` when folders are nested more than 32 deep.
  static func files(in folder: String) throws(CLIPError) -> [String] {
    var files: [String] = []
    var open = [""]
    while let prefix = open.popLast() {
      guard prefix.count(where: { $0 == "/" }) <= 32 else {
        throw CLIPError(
          .format, "'\(folder)': folders are nested too deeply; expected at most 32 levels")
      }
      guard let stream = opendir(folder + "/" + prefix) else {
        throw CLIPError.system(folder + "/" + prefix, "list the folder")
      }
      defer { closedir(stream) }
      while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        guard !name.hasPrefix(".") else { continue }
        let path = "\(folder)/\(prefix)\(name)"
        var status = stat()
        guard lstat(path, &status) == 0 else { continue }
        if status.st_mode & S_IFMT == S_IFDIR {
          open.append("\(prefix)\(name)/")
        } else if MappedFile.exists(path) {
          files.append(prefix + name)
        }
      }
    }
    return files.sorted()
  }
}
