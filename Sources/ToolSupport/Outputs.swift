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
  ///   - folder: where a state is kept; made if there is none.
  /// - Throws: `io` for a folder that is missing or cannot be written to, something that is not a
  ///   file, a full disk; `invalidArgument` when two outputs are the same file.
  package static func check(_ paths: String?..., folder: String? = nil) throws(CLIPError) {
    var known: Set<String> = []
    for path in paths.compactMap(\.self) {
      guard known.insert(path).inserted else {
        throw CLIPError(
          .invalidArgument,
          "'\(path)': is given for two outputs; expected a file for each, got the same one")
      }
      try asOutput { () throws(CLIPError) in try AtomicFile.check(path) }
    }
    if let folder {
      try asOutput { () throws(CLIPError) in try SavedStateKind.checkFolder(folder) }
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
