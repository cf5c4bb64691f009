extension PairDataset {
  /// What the dataset holds, for machines: rows, whether they have captions and labels, class folders
  /// in their order, and what was left out by reason.
  package var json: JSONValue {
    [
      "rows": .integer(count), "has_captions": .bool(hasCaptions), "has_labels": .bool(hasLabels),
      "class_folders": .array(classFolders.map { .string($0) }),
      "left_out": omissions.json,
    ]
  }
}
