/// Images with classes, from a table with an image and a label in each row.
package struct LabelledImages: Sendable {
  private let table: DelimitedText
  private let folder: String
  private let imageColumn: Int
  private let labels: [Int32?]
  /// The names of the classes, by index.
  package let classes: [String]

  /// Opens a csv or tsv file; labels are indices into `classes`, or names of classes.
  ///
  /// - Throws: `notFound` for a missing file or column; `format` for a broken table, a label that is
  ///   no class, or a table without rows.
  package init(
    path: String, columns: DatasetColumns = DatasetColumns(), classes: [String]
  ) throws(CLIPError) {
    table = try DelimitedText(path: path)
    folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    imageColumn = try table.column(columns.image)
    let labelColumn = try table.column(columns.label)
    self.classes = classes
    guard table.count > 0 else {
      throw CLIPError(.format, "'\(path)': no rows; expected labelled images, got a header only")
    }
    var indices: [String: Int32] = [:]
    for (index, name) in classes.enumerated() {
      indices[name] = indices[name] ?? Int32(truncatingIfNeeded: index)
    }
    var labels: [Int32?] = []
    labels.reserveCapacity(table.count)
    for row in 0..<table.count {
      guard let fields = try? table.fields(row, minimum: max(imageColumn, labelColumn) + 1) else {
        labels.append(nil)
        continue
      }
      let text = fields[labelColumn].trimmed
      if let index = indices[text] {
        labels.append(index)
      } else if let index = Int32(text), classes.indices.contains(Int(index)) {
        labels.append(index)
      } else {
        throw CLIPError(
          .format,
          "'\(path)': row \(row + 1) has label '\(text.prefix(40))'; expected a class name, or an "
            + "index from 0 to \(classes.count - 1)")
      }
    }
    self.labels = labels
  }

  package var count: Int { table.count }

  /// The class of an image; `nil` where the row is broken.
  package func label(at index: Int) -> Int32? { labels[index] }

  /// What the table calls an image.
  package func key(at index: Int) -> String {
    guard let fields = try? table.fields(index, minimum: imageColumn + 1) else {
      return "row \(index + 1)"
    }
    return fields[imageColumn]
  }

  /// Reads and decodes an image.
  ///
  /// - Throws: what is wrong with this row; others may be whole.
  package func image(at index: Int) throws(CLIPError) -> (image: DecodedImage, label: Int32) {
    guard let label = labels[index] else {
      throw CLIPError(
        .format, "'\(table.path)': row \(index + 1) is broken; expected an image and a label")
    }
    let path = try table.fields(index, minimum: imageColumn + 1)[imageColumn]
    let bytes = try MappedFile.read(
      path.hasPrefix("/") ? path : folder + path, limit: CaptionTable.imageLimit)
    return (try ImageDecoder.decode(bytes, name: path), label)
  }
}
