/// A list of rows of a dataset, as a check writes those that stay: a line for each, the number of the
/// row from 0, a tab, and the key, in which control characters and backslashes are escapes.
///
/// The number tells rows apart whose keys are equal; the key tells whether the list is of this dataset.
package enum RowList {
  /// Returns a key as it stands in a line: never more than one, and never another's.
  package static func escaped(_ key: String) -> String {
    let backslash: Unicode.Scalar = "\\"
    var text = ""
    for scalar in key.unicodeScalars {
      if scalar == backslash { text.unicodeScalars.append(backslash) }
      text.unicodeScalars.append(scalar)
    }
    return text.printable(limit: .max)
  }

  /// Returns the line of a row, with its end.
  package static func line(row: Int, key: String) -> String { "\(row)\t\(escaped(key))\n" }

  /// Reads a list.
  ///
  /// - Parameter mayBeEmpty: whether no rows at all are fine.
  /// - Returns: the rows, ascending, each once.
  /// - Throws: `notFound`, `io`; `format` for lines of another kind or none; `invalidArgument` when the list
  ///   is of another dataset, or of other rows of it.
  package static func read(
    _ path: String, of dataset: PairDataset, mayBeEmpty: Bool = false
  ) throws(CLIPError) -> [Int] {
    var rows: Set<Int> = []
    for (number, line) in try TextList.rows(path: path).enumerated() {
      let parts = line.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let row = Int(parts[0]), row >= 0 else {
        throw CLIPError(
          .format,
          "'\(path)': line \(number + 1) is no row; expected a number, a tab and a key as check data "
            + "--cleaned writes them, got '\(line.prefix(80))'")
      }
      guard row < dataset.count, escaped(dataset.key(at: row)).trimmed == parts[1].trimmed else {
        throw CLIPError(
          .invalidArgument,
          "'\(path)': line \(number + 1) is of other data; expected row \(row) to be "
            + "'\(parts[1].prefix(80))', got "
            + (row < dataset.count ? "'\(dataset.key(at: row))'" : "\(dataset.count) rows")
            + (dataset.isSelection
              ? "; rows are counted among those that keep names: give the list that a check with this keep "
                + "wrote"
              : "; give the list that a check of this data wrote"))
      }
      rows.insert(row)
    }
    guard !rows.isEmpty || mayBeEmpty else {
      throw CLIPError(.format, "'\(path)': no rows; expected one a line, got none")
    }
    return rows.sorted()
  }
}
