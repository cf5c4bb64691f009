/// The files that an argument names.
package enum NamedFiles {
  /// Returns the paths that an argument stands for: itself, the two files of a model, or what a pattern
  /// matches; itself also where nothing has that name.
  package static func paths(_ argument: String) -> [String] {
    if let pair = try? ModelPaths.split(argument), pair.count == 2 { return pair }
    return (try? SourcePattern.expand(argument, for: "files")) ?? [argument]
  }
}
