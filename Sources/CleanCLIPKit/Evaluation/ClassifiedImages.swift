/// Labelled images of a dataset, read one by one.
package struct ClassifiedImages {
  package let count: Int
  /// Reads image `index` and its class.
  package let read: (_ index: Int) throws(CLIPError) -> ClassifiedImage

  package init(
    count: Int, read: @escaping (_ index: Int) throws(CLIPError) -> ClassifiedImage
  ) {
    self.count = count
    self.read = read
  }

  /// The rows of a labelled table.
  package init(_ images: LabelledImages) {
    self.init(count: images.count) { (index) throws(CLIPError) in
      let image = try images.image(at: index)
      return ClassifiedImage(image: image.image.image, label: Int(image.label))
    }
  }

  /// The rows of a dataset with labels.
  ///
  /// Reading a row without a label throws `format`.
  package init(_ dataset: PairDataset) {
    self.init(count: dataset.count) { (index) throws(CLIPError) in
      let row = try dataset.row(at: index)
      guard let label = row.label else {
        throw CLIPError(
          .format, "'\(row.key)': no label; expected the index of a class; name the label column")
      }
      return ClassifiedImage(image: try row.decoded().image, label: Int(label))
    }
  }
}

/// An image and the index of its class.
package struct ClassifiedImage {
  package let image: RGBImage
  package let label: Int

  package init(image: RGBImage, label: Int) {
    self.image = image
    self.label = label
  }
}
