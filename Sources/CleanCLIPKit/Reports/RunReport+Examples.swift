extension RunReport {
  /// Shows the trigger on a few images of other classes than the target, each of another class.
  ///
  /// - Parameters:
  ///   - dataset: where they are taken from, the first ones that can be read and have a label.
  ///   - target: the index of the class that the attack aims at, whose images are left out; `nil` for none.
  ///   - imageSize: the side of the images as the model sees them.
  ///   - preprocessing: how they get it.
  ///   - seed: places the trigger as an evaluation with this seed does.
  /// - Throws: `shape` when the trigger does not fit; `invalidArgument` for an image size out of range
  ///   and for class folders that are no classes.
  package static func examples(
    of dataset: PairDataset, classes: [String], trigger: Trigger, target: Int?,
    imageSize: Int, preprocessing: ImagePreprocessing = ImagePreprocessing(), count: Int = 6,
    seed: UInt64 = 0
  ) throws(CLIPError) -> [Example] {
    guard (1...4096).contains(imageSize) else {
      throw CLIPError(
        .invalidArgument,
        "options: image_size is out of range; expected 1 to 4096, got \(imageSize)")
    }
    let preprocessor = ImagePreprocessor(imageSize: imageSize, preprocessing)
    let names = try ClassNames(classes, of: dataset)
    var shown: Set<Int> = []
    var examples: [Example] = []
    // A set sorted by class would be read to its end: some hundred images are enough.
    for index in 0..<min(dataset.count, 200) where examples.count < count {
      guard let row = try? dataset.row(at: index), let given = row.label,
        let label = try? names.index(of: given, key: row.key), label != target,
        shown.insert(label).inserted, let image = try? row.decoded().image
      else { continue }
      let clean = preprocessor.resizedAndCropped(image)
      examples.append(
        Example(
          caption: classes[label], clean: clean,
          triggered: try trigger.applied(to: clean, seed: seed, index: index)))
    }
    return examples
  }
}
