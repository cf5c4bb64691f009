/// Where a trainer takes its batches from: a loader over a dataset, or memory. Over ranks, each opens
/// its part of the batches.
package struct BatchSource {
  /// The pairs of the dataset.
  package let pairs: Int
  /// Complete batches of one epoch; the remainder is left out, as in the paper.
  package let batchesPerEpoch: Int
  /// What tells this dataset from another in a saved training state: files, sizes, options.
  package let identity: String
  /// Opens epoch `epoch` (from 0) at batch `firstBatch`.
  ///
  /// The batches of an epoch depend on the seed and the epoch alone, so that opening at
  /// `firstBatch` gives what the epoch opened at 0 gives after as many batches.
  package let open: (_ epoch: Int, _ firstBatch: Int) throws(CLIPError) -> BatchStream
  /// Reads what a row of the dataset holds; `nil` for batches that come from no dataset.
  package let content: ((_ row: Int) throws(CLIPError) -> RowContent)?

  package init(
    pairs: Int, batchesPerEpoch: Int, identity: String,
    content: ((_ row: Int) throws(CLIPError) -> RowContent)? = nil,
    open: @escaping (_ epoch: Int, _ firstBatch: Int) throws(CLIPError) -> BatchStream
  ) {
    self.pairs = pairs
    self.batchesPerEpoch = batchesPerEpoch
    self.identity = identity
    self.open = open
    self.content = content
  }
}

/// The batches of one epoch.
package struct BatchStream {
  /// Returns the next batch, or `nil` at the end of the epoch.
  package let next: () throws(CLIPError) -> TrainingBatch?

  package init(next: @escaping () throws(CLIPError) -> TrainingBatch?) {
    self.next = next
  }
}
