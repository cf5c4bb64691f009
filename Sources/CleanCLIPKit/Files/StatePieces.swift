internal import Glibc

/// The files of a state that is kept in pieces, written one after another: `NAME000000.safetensors` and on.
struct StatePieces {
  private let directory: String
  private let name: String

  /// - Parameters:
  ///   - name: what the names begin with.
  ///   - resume: whether pieces that are there stay; otherwise they are removed.
  /// - Throws: `io`.
  init(_ directory: String, named name: String, resume: Bool) throws(CLIPError) {
    self.directory = directory
    self.name = name
    try SavedStateKind.checkFolder(directory)
    guard !resume else { return }
    var count = 0
    while access(path(count), F_OK) == 0 { count += 1 }
    // From the last, so that what a crash leaves has no holes.
    for number in (0..<count).reversed() where unlink(path(number)) != 0 {
      throw CLIPError.system(path(number), "remove the file")
    }
  }

  func path(_ number: Int) -> String {
    let digits = String(number)
    let zeros = String(repeating: "0", count: max(0, 6 - digits.count))
    return "\(directory)/\(name)\(zeros)\(digits).safetensors"
  }

  /// The path of a piece; `nil` when it is not there.
  func existing(_ number: Int) -> String? {
    let path = path(number)
    return access(path, F_OK) == 0 ? path : nil
  }
}
