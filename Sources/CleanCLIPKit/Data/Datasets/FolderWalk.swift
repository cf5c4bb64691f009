internal import Glibc

/// The files in a folder and its subfolders, linked ones too, each folder once.
struct FolderWalk {
  /// Paths below the folder, sorted by their bytes.
  private(set) var files: [FilePath] = []
  private(set) var omissions = Omissions()

  private struct Identity: Hashable {
    let device: dev_t
    let number: ino_t
  }

  private static let deepest = 32

  /// - Throws: `io`, `notFound`; `format` when folders are nested more than 32 deep.
  init(_ folder: FilePath) throws(CLIPError) {
    var visited: Set<Identity> = []
    var status = stat()
    if stat(folder.cString, &status) == 0 {
      visited.insert(Identity(device: status.st_dev, number: status.st_ino))
    }
    var open: [[UInt8]] = [[]]
    while let prefix = open.popLast() {
      guard prefix.count(where: { $0 == UInt8(ascii: "/") }) <= Self.deepest else {
        throw CLIPError(
          .format,
          "'\(folder.text)': folders are nested too deeply; expected at most \(Self.deepest) levels")
      }
      for name in try Self.names(in: prefix.isEmpty ? folder : folder.appending(prefix)) {
        let below = prefix + name
        let path = folder.appending(below)
        guard stat(path.cString, &status) == 0 else {
          omissions.add(.notAFile, "'\(path.text)' leads nowhere")
          continue
        }
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
          let identity = Identity(device: status.st_dev, number: status.st_ino)
          if visited.insert(identity).inserted {
            open.append(below + [UInt8(ascii: "/")])
          } else {
            omissions.add(.linkedAgain, "'\(path.text)'")
          }
        case S_IFREG: files.append(FilePath(below))
        default: omissions.add(.notAFile, "'\(path.text)'")
        }
      }
    }
    files.sort { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  /// Names in a folder, sorted so that of two ways to a folder the same one is taken every time.
  private static func names(in folder: FilePath) throws(CLIPError) -> [[UInt8]] {
    guard let stream = opendir(folder.cString) else {
      throw CLIPError.system(folder.text, "list the folder")
    }
    defer { closedir(stream) }
    var names: [[UInt8]] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name != [UInt8(ascii: ".")], name != [UInt8(ascii: "."), UInt8(ascii: ".")] {
        names.append(name)
      }
    }
    return names.sorted { $0.lexicographicallyPrecedes($1) }
  }
}
