/// What the images of a dataset look like: known since they were read, or decoded when asked for.
struct ImageLooks {
  /// Of each image; `nil` where none were decoded.
  let known: [ImageDescriptor]?
  /// The dataset, and the row of each image in it; `nil` when only features are known.
  let rows: (dataset: PairDataset, of: [Int])?

  /// The descriptor of an image; `nil` where it cannot be had.
  func descriptor(of image: Int) -> ImageDescriptor? {
    if let known { return known[image] }
    guard let rows, let row = try? rows.dataset.row(at: rows.of[image]).decoded() else {
      return nil
    }
    return ImageDescriptor(row.image)
  }
}
