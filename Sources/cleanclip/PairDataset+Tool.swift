internal import CleanCLIPKit
internal import ToolSupport

extension PairDataset {
  /// Opens files and says on standard error what they hold and do not give.
  ///
  /// - Parameters: as `open`.
  static func reporting(
    _ data: [String], columns: DatasetColumns = DatasetColumns(), keep: String? = nil
  ) throws(CLIPError) -> PairDataset {
    let dataset = try open(data, columns: columns, keep: keep)
    report(dataset.omissions)
    return dataset
  }

  /// Says on standard error what was left out.
  static func report(_ omissions: Omissions) {
    for line in omissions.lines { ToolMessage.print(line) }
  }
}
