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

  /// The rows of a labelled table.
  package init(_ images: LabelledImages) {
    self.init(count: images.count) { (index) throws(CLIPError) in
      let picture = try images.picture(at: index)
      return LabelledPicture(image: picture.image.image, label: Int(picture.label))
    }
  }

  /// The rows of a data set with labels.
  ///
  /// Reading a row without a label throws `format`.
  package init(_ dataset: PairDataset) {
    self.init(count: dataset.count) { (index) throws(CLIPError) in
      let row = try dataset.row(at: index)
      guard let label = row.label else {
        throw CLIPError(
          .format, "'\(row.key)': no label; expected the index of a class; name the label column")
      }
      return LabelledPicture(image: try row.decoded().image, label: Int(label))
    }
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
