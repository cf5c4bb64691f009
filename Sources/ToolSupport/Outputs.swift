package import CleanCLIPKit

/// What a command writes at the end of its work: the main result first, then the others, each even
/// when one before it failed.
package struct Outputs {
  private var failures: [CLIPError] = []

  package init() {}

  /// Tries the files that will be written, before the work.
  ///
  /// - Parameters:
  ///   - paths: `nil` for outputs that are not asked for.
  ///   - folder: where a state or several files are kept, which need not be there.
  /// - Throws: `io` for a folder that is missing or cannot be written to, something that is not a
  ///   file, a full disk; `invalidArgument` when two outputs are the same file, however their paths are
  ///   spelled.
  package static func check(_ paths: String?..., folder: String? = nil) throws(CLIPError) {
    try requireDistinct(paths, besides: folder)
    for path in paths.compactMap(\.self) {
      try asOutput { () throws(CLIPError) in try AtomicFile.check(path) }
    }
    if let folder {
      try asOutput { () throws(CLIPError) in try SavedStateKind.tryFolder(folder) }
    }
  }

  /// Refuses one file for two outputs, of which what is written last would be all that is left, and outputs among the
  /// files of a state.
  ///
  /// - Parameters:
  ///   - paths: `nil` for outputs that are not asked for.
  ///   - folder: where a state or several files are kept.
  /// - Throws: `invalidArgument`, naming the output.
  package static func requireDistinct(
    _ paths: [String?], besides folder: String?
  ) throws(CLIPError) {
    var known: Set<FileIdentity> = []
    let place = folder.flatMap { FileIdentity(place: $0) }
    for path in paths.compactMap(\.self).flatMap(NamedFiles.paths) {
      let slash = path.lastIndex(of: "/")
      let parent = slash.map { String(path[...$0]) } ?? "."
      let name = path[(slash.map(path.index(after:)) ?? path.startIndex)...]
      guard
        place == nil || FileIdentity(place: parent) != place || !StateFolder.hasFile(named: name)
      else {
        throw CLIPError(
          .invalidArgument,
          "'\(path)': is a file of the state; expected another name for the output, got one that may replace a "
            + "part of it")
      }
    }
    for path in (paths + [folder]).compactMap(\.self).flatMap(NamedFiles.paths) {
      guard let place = FileIdentity(place: path), !known.insert(place).inserted else { continue }
      throw CLIPError(
        .invalidArgument,
        "'\(path)': is given for two outputs; expected a file for each, got the same one")
    }
  }

  /// Refuses to replace what a command reads: the only copy of a suspect, or of the data, would be lost.
  ///
  /// - Parameters:
  ///   - inputs: files, folders, patterns of files, models in two files; also files that need not be there, and
  ///     would be read by the next run.
  ///   - outputs: `nil` for those that are not asked for.
  /// - Throws: `invalidArgument`, naming the output.
  package static func keep(_ inputs: [String], from outputs: String?...) throws(CLIPError) {
    let kept = Set(inputs.flatMap(NamedFiles.paths).compactMap { FileIdentity(place: $0) })
    for path in outputs.compactMap(\.self).flatMap(NamedFiles.paths) {
      if let file = FileIdentity(place: path), kept.contains(file) {
        throw CLIPError.bothWays(path)
      }
    }
  }

  /// Refuses to replace a file that a folder or a table of the dataset names.
  ///
  /// - Throws: as the other `keep`.
  package static func keep(_ dataset: PairDataset, from outputs: [String?]) throws(CLIPError) {
    for path in outputs.compactMap(\.self).flatMap(NamedFiles.paths) {
      try dataset.checkNotRead(path)
    }
  }

  /// Reports what is missing as a failure to write: it is the place for an output.
  package static func asOutput(_ body: () throws(CLIPError) -> Void) throws(CLIPError) {
    do throws(CLIPError) { try body() } catch {
      throw error.code == .notFound ? CLIPError(.io, error.message) : error
    }
  }

  /// Writes one of the outputs.
  package mutating func write(_ body: () throws(CLIPError) -> Void) {
    do throws(CLIPError) { try body() } catch { failures.append(error) }
  }

  /// Writes a file that may not be asked for.
  package mutating func write(_ path: String?, _ body: (String) throws(CLIPError) -> Void) {
    guard let path else { return }
    write { () throws(CLIPError) in try body(path) }
  }

  /// - Throws: `io` when an output could not be written, naming each of them.
  package func finish() throws(CLIPError) {
    guard !failures.isEmpty else { return }
    throw CLIPError(.io, failures.map(\.message).joined(separator: "; and "))
  }
}
