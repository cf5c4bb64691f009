/// How rows become batches.
package struct PairLoaderOptions: Sendable {
  /// B, rows in a batch.
  package var batchSize: Int
  /// The part of each batch that is read.
  package var shard = Shard.whole
  /// Orders rows, draws augmentations and replacements.
  package var seed: UInt64 = 0
  /// Adds a second view of each row: AutoAugment's of the image, EDA's of the caption.
  package var augments = true
  /// Reads captions; a row without one is bad.
  package var usesCaptions = true
  /// Reads class indices; a row without one is bad.
  package var usesLabels = false
  /// Orders rows anew for each epoch; false keeps the order of the dataset.
  package var shuffles = true
  /// Threads that read, decode and augment.
  package var workers = 2
  /// Batches that are prepared ahead of the one in use.
  package var queueLength = 2
  /// Bad rows at which loading ends with an error; `nil`: more than 1 % of the rows, and at least 10.
  package var badRowLimit: Int?

  package init(batchSize: Int) {
    self.batchSize = batchSize
  }
}

/// What happened while rows were read.
package enum LoaderEvent: Sendable {
  /// The row cannot be used, and why; another one took its place.
  case badRow(index: Int, key: String, reason: String)
  /// The row is used, but there is something to know of its image.
  case note(index: Int, key: String, text: String)
}
