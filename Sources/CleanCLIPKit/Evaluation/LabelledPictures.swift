/// Labelled pictures of a data set, read one by one.
package struct LabelledPictures {
  package let count: Int
  /// Reads picture `index` and its class.
  package let read: (_ index: Int) throws(CLIPError) -> LabelledPicture

  package init(
    count: Int, read: @escaping (_ index: Int) throws(CLIPError) -> LabelledPicture
  ) {
    self.count = count
    self.read = read
  }
}

/// A picture and the index of its class.
package struct LabelledPicture {
  package let image: RGBImage
  package let label: Int

  package init(image: RGBImage, label: Int) {
    self.image = image
    self.label = label
  }
}
