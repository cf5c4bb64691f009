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

  /// The names to look for, the first that is there; one that was given must be there.
  var images: [String] { image == "image" ? ["image", "file_name", "filepath"] : [image] }
  var captions: [String] { caption == "caption" ? ["caption", "text", "title"] : [caption] }
}
