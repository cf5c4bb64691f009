/// What the columns of tables, and the members of JSON captions, are called.
package struct DatasetColumns: Equatable, Sendable {
  package var image = "image"
  package var caption = "caption"
  /// Class names or indices.
  package var label = "label"

  package init(image: String = "image", caption: String = "caption", label: String = "label") {
    self.image = image
    self.caption = caption
    self.label = label
  }
}
