/// Rows of a host, asked for by one thread at a time.
final class HostRows: PairSource {
  let count: Int
  private let name: String
  private let row: @Sendable (Int) throws(CLIPError) -> CaptionedImage
  private let turn = Turn()

  init(
    count: Int, name: String, row: @escaping @Sendable (Int) throws(CLIPError) -> CaptionedImage
  ) {
    self.count = count
    self.name = name
    self.row = row
  }

  /// Only reading tells.
  var hasCaptions: Bool { true }
  var hasLabels: Bool { true }
  var identity: [String] { [name] }

  func key(at row: Int) -> String { PairDataset.hostKey(row) }

  func image(at row: Int) throws(CLIPError) -> CaptionedImage {
    try turn.take { () throws(CLIPError) in try self.row(row) }
  }
}
