extension RunReport {
  /// Shows the trigger on a few images of other classes than the target, each of another class.
  ///
  /// - Parameters:
  ///   - images: where they are taken from, the first ones that can be read.
  ///   - target: the class that the attack aims at, whose images are left out; `nil` for none.
  ///   - imageSize: the side of the images as the model sees them.
  ///   - seed: places the trigger as an evaluation with this seed does.
  /// - Throws: `shape` when the trigger does not fit.
  package static func examples(
    of images: ClassifiedImages, classes: [String], trigger: Trigger, target: Int?,
    imageSize: Int, count: Int = 6, seed: UInt64 = 0
  ) throws(CLIPError) -> [Example] {
    let preprocessor = ImagePreprocessor(
      imageSize: imageSize, mean: [0, 0, 0], standardDeviation: [1, 1, 1])
    var shown: Set<Int> = []
    var examples: [Example] = []
    // A set sorted by class would be read to its end: some hundred images are enough.
    for index in 0..<min(images.count, 200) where examples.count < count {
      guard let image = try? images.read(index), image.label != target,
        classes.indices.contains(image.label), shown.insert(image.label).inserted
      else { continue }
      let clean = preprocessor.resizedAndCropped(image.image)
      examples.append(
        Example(
          caption: classes[image.label], clean: clean,
          triggered: try trigger.applied(to: clean, seed: seed, index: index)))
    }
    return examples
  }
}
