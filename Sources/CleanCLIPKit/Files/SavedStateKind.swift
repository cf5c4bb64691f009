internal import Glibc

/// What files of interrupted work have in common: a folder, a format, and what tells one piece of
/// work from another.
package struct SavedStateKind {
  /// The value of the member `format` of the metadata.
  let format: String
  /// What was interrupted, in one word; prefixes the members of the identity.
  let work: String
  /// What such a file is called in messages.
  let name: String
  /// What must be the same to resume, besides the options.
  let inputs: String

  /// Makes the folder of a state, if there is none.
  static func makeDirectory(_ directory: String) throws(CLIPError) {
    var status = stat()
    let isThere =
      mkdir(directory, 0o777) == 0
      || errno == EEXIST && stat(directory, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    guard isThere else {
      throw CLIPError(
        .io,
        "'\(directory)': cannot make the folder: "
          + "\(String(cString: strerror(errno)).lowercased()); name a new folder or one that is there"
      )
    }
  }

  /// Makes the folder of a state, if there is none, and tries whether files can be written to it.
  ///
  /// - Throws: `io` for a folder that cannot be made or written to.
  package static func checkFolder(_ directory: String) throws(CLIPError) {
    try makeDirectory(directory)
    try AtomicFile.check(directory + "/state")
  }

  /// Tries whether files can be written to a folder, before it is known whether there is work to do: nothing
  /// remains of the trial.
  ///
  /// - Throws: as `checkFolder`.
  package static func tryFolder(_ directory: String) throws(CLIPError) {
    let isNew = access(directory, F_OK) != 0
    defer { if isNew { rmdir(directory) } }
    try checkFolder(directory)
  }

  /// Writes a state with a checksum.
  ///
  /// - Parameter metadata: beside the format and the identity.
  /// - Throws: `io`.
  func write(
    _ tensors: [(name: String, tensor: Tensor)], _ metadata: [String: String],
    identity: WorkIdentity, to path: String
  ) throws(CLIPError) {
    var metadata = metadata
    metadata["format"] = format
    for (key, value) in identity.members { metadata["\(work).\(key)"] = value }
    try SafeTensors.writeSealed(tensors, metadata: metadata, to: path)
  }

  /// Opens a state.
  ///
  /// - Throws: `format` for a file that is no such state, or damaged; `state` for the state of other
  ///   work, naming what differs; `io`.
  func read(_ path: String, identity: WorkIdentity) throws(CLIPError) -> SafeTensorsFile {
    let file: SafeTensorsFile
    do throws(CLIPError) { file = try SafeTensors.read(path) } catch {
      switch error.code {
      // What else the file may be is of no use here.
      case .unsupported: throw damaged(path, "another kind of file", expected: "format '\(format)'")
      case .format: throw CLIPError(.format, error.message + Self.remedy)
      default: throw error
      }
    }
    return try checked(file, identity: identity)
  }

  /// Checks that an open file is a state of this work.
  ///
  /// - Throws: as `read`.
  func checked(
    _ file: SafeTensorsFile, identity: WorkIdentity
  ) throws(CLIPError) -> SafeTensorsFile {
    let path = file.path
    guard file.metadata["format"] == format else {
      throw CLIPError(
        .format,
        "'\(path)': is not \(name); expected format '\(format)', "
          + "got '\(file.metadata["format"] ?? "none")'" + Self.remedy)
    }
    try FileSeal.check(file)
    let other = identity.differences(from: file.metadata, prefix: work + ".")
    guard other.list.isEmpty else {
      throw CLIPError(
        .state,
        "'\(path)': is the state of another \(work); \(other.list.joined(separator: "; ")); use the same "
          + (other.areOptions ? "options" : inputs) + ", or start without resume",
        savedState: .foreign)
    }
    return file
  }

  /// The error of a state whose parts do not fit together.
  ///
  /// - Parameter what: was found.
  func damaged(_ path: String, _ what: String, expected: String? = nil) -> CLIPError {
    CLIPError(
      .format,
      "'\(path)': is damaged; expected \(expected ?? name), got \(what)" + Self.remedy)
  }

  private static let remedy = "; start without resume"
}
