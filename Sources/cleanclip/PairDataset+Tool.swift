internal import CleanCLIPKit
internal import ToolSupport

extension PairDataset {
  /// Opens files and says on standard error what they hold and do not give.
  ///
  /// - Parameters:
  ///   - outputs: what will be written, which must be none of the images that are read.
  ///   - wantsCaptions: whether it is said that there are none.
  ///   - others: as `open`.
  static func reporting(
    _ data: [String], columns: DatasetColumns = DatasetColumns(), keep: String? = nil,
    writing outputs: [String?], wantsCaptions: Bool = false
  ) throws(CLIPError) -> PairDataset {
    let dataset = try open(data, columns: columns, keep: keep)
    try Outputs.keep(dataset, from: outputs)
    report(dataset.omissions)
    if wantsCaptions, let hint = dataset.captionHint { ToolMessage.print(hint) }
    return dataset
  }

  /// Says on standard error what was left out.
  static func report(_ omissions: Omissions) {
    for line in omissions.lines { ToolMessage.print(line) }
  }
}
