/// Files of one name or one prompt a line.
package enum TextList {
  private static let sizeLimit = 16 << 20

  /// Reads class names, in the order of their indices: the place of its line is the index of a class.
  ///
  /// A name may occur twice, as in the published list of ImageNet's.
  /// - Throws: `notFound`, `io`; `format` for a file without names, or with a blank line between them.
  package static func classes(path: String) throws(CLIPError) -> [String] {
    var names = try text(path, limit: sizeLimit)
      .split(omittingEmptySubsequences: false) { ["\n", "\r\n", "\r"].contains($0) }.map(\.trimmed)
    while names.last?.isEmpty == true { names.removeLast() }
    guard !names.isEmpty else {
      throw CLIPError(.format, "'\(path)': no class names; expected one a line, got none")
    }
    if let blank = names.firstIndex(where: \.isEmpty) {
      throw CLIPError(
        .format,
        "'\(path)': line \(blank + 1) is blank; expected the name of class \(blank), because lines "
          + "count as indices; remove the line or name the class")
    }
    return names
  }

  /// Reads prompt templates; `{}` is where the class name goes.
  ///
  /// - Throws: `notFound`, `io`; `format` for a file without templates, or for one without `{}`.
  package static func templates(path: String) throws(CLIPError) -> [PromptTemplate] {
    var templates: [PromptTemplate] = []
    for (index, line) in try lines(path: path).enumerated() {
      guard let template = PromptTemplate(exactly: line) else {
        throw CLIPError(
          .format,
          "'\(path)': template \(index + 1) has no place for the class name; expected '{}', "
            + "got '\(line)'")
      }
      templates.append(template)
    }
    guard !templates.isEmpty else {
      throw CLIPError(.format, "'\(path)': no templates; expected one a line, got none")
    }
    return templates
  }

  /// Reads texts to encode, one a line; blank lines are left out.
  ///
  /// - Throws: `notFound`, `io`; `format` for a file that is no UTF-8 text.
  package static func lines(path: String) throws(CLIPError) -> [String] {
    try text(path, limit: sizeLimit)
      .split(whereSeparator: \.isNewline).map(\.trimmed).filter { !$0.isEmpty }
  }

  /// Reads a text a row, blank ones too.
  ///
  /// - Throws: as `lines`.
  package static func rows(path: String) throws(CLIPError) -> [String] {
    var rows = try text(path, limit: 1 << 32)
      .split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(\.trimmed)
    if rows.last?.isEmpty == true { rows.removeLast() }  // behind the last line's end
    return rows
  }

  private static func text(_ path: String, limit: Int) throws(CLIPError) -> String {
    var bytes = try FileContents.read(path, limit: limit)[...]
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
    guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
      throw CLIPError(.format, "'\(path)': not text; expected UTF-8, got other bytes")
    }
    return text
  }
}
