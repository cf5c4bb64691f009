/// What the columns of tables, and the members of JSON captions, are called.
package struct DatasetColumns: Equatable, Sendable {
  /// Paths of images. By default also `file_name` (Hugging Face's metadata) or `filepath` (OpenCLIP's
  /// tables), where there is no `image`.
  package var image: String
  /// Captions. By default also `text` or `title`, where there is no `caption`.
  package var caption: String
  /// Class names or indices.
  package var label: String

  package init(image: String = "image", caption: String = "caption", label: String = "label") {
    self.image = image
    self.caption = caption
    self.label = label
  }

  /// Refuses names that nothing is looked up by.
  ///
  /// - Throws: `invalidArgument`.
  func checkUse(by sources: [any PairSource]) throws(CLIPError) {
    let usual = DatasetColumns()
    let given = [
      ("image_column", image, usual.image), ("caption_column", caption, usual.caption),
      ("label_column", label, usual.label),
    ].first { $0.1 != $0.2 }
    guard let given, !sources.contains(where: \.usesColumns) else { return }
    throw CLIPError(
      .invalidArgument,
      "options: \(given.0) has no effect without a table or JSON beside images; expected none, got "
        + "'\(given.1)'")
  }

  /// The names to look for, the first that is there; one that was given must be there.
  var images: [String] { image == "image" ? ["image", "file_name", "filepath"] : [image] }
  var captions: [String] { caption == "caption" ? ["caption", "text", "title"] : [caption] }
}
