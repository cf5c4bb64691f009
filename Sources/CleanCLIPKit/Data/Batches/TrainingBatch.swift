/// One batch of captioned images, ready for the towers.
///
/// With two views, the first B rows of `pixels` and the first B captions are the originals and the
/// last B their augmentations, in the same order.
package struct TrainingBatch: Sendable {
  /// `[V B, 3, S, S]` single precision, normalised with the configuration's mean and deviation.
  package let pixels: Tensor
  /// V B captions; none when training needs images only.
  package let tokens: TokenBatch
  /// V: 1 without augmentation, 2 with.
  package let views: Int
  /// `[B]` class of each image, in datasets that have them.
  package let labels: [Int32]?
  /// `[B]` what each pair is called in its dataset, for messages.
  package let keys: [String]
  /// What the rows of the pairs hold, where they come from a dataset.
  package let contents: [RowContent]

  package init(
    pixels: Tensor, tokens: TokenBatch, views: Int, labels: [Int32]?, keys: [String],
    contents: [RowContent] = []
  ) {
    self.pixels = pixels
    self.tokens = tokens
    self.views = views
    self.labels = labels
    self.keys = keys
    self.contents = contents
  }

  /// B, the number of pairs.
  package var count: Int { pixels.shape[0] / max(1, views) }
}
