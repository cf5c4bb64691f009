import CleanCLIPKit
import Glibc

/// The files of the project, for tests that compare what is registered with what is written.
enum SourceTree {
  static let root = #filePath.split(separator: "/").dropLast(4).reduce("") { $0 + "/" + $1 }

  static func text(_ path: String) throws -> String {
    String(decoding: try FileContents.read(root + "/" + path), as: UTF8.self)
  }

  /// The number of constants of a type in the files of a folder.
  static func constants(of type: String, in path: String) throws -> Int {
    var count = 0
    for name in names(in: root + "/" + path) where name.hasSuffix(".swift") {
      count += try text(path + "/" + name).split(separator: "\n").count { line in
        line.contains("static let ")
          && (line.contains(": \(type) = ") || line.contains(" = \(type)("))
      }
    }
    return count
  }

  private static func names(in path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names
  }
}
