internal import Glibc

/// A new folder of files that gets its name when all of them are written.
final class OutputFolder {
  private let path: String
  private let temporary: String
  private var names: [String] = []
  private var isCommitted = false

  /// The last part of the path.
  let name: String

  /// - Throws: `io` when the folder exists or cannot be made.
  init(path: String) throws(CLIPError) {
    guard access(path, F_OK) != 0 else {
      throw CLIPError(
        .io, "'\(path)': exists already; expected the name of a new folder; remove it first")
    }
    var template = Array((path + ".XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { throw CLIPError.system(path, "make the folder") }
    self.path = path
    temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    name = String(
      path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
    chmod(temporary, 0o755)
  }

  deinit {
    guard !isCommitted else { return }
    for name in names { unlink(temporary + "/" + name) }
    rmdir(temporary)
  }

  /// Writes a file.
  ///
  /// - Throws: `io`.
  func add(_ bytes: [UInt8], name: String) throws(CLIPError) {
    let path = temporary + "/" + name
    guard let file = fopen(path, "wxe") else { throw CLIPError.system(path, "create the file") }
    names.append(name)
    let written = fwrite(bytes, 1, bytes.count, file)
    // fclose must run also after a short write; a full disk may show in either.
    guard fclose(file) == 0, written == bytes.count else {
      throw CLIPError.system(path, "write the file")
    }
  }

  /// Gives the folder its name.
  ///
  /// - Throws: `io`.
  func commit() throws(CLIPError) {
    guard rename(temporary, path) == 0 else { throw CLIPError.system(path, "rename the folder") }
    isCommitted = true
  }
}
