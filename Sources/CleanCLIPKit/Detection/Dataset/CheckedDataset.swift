/// The result of a check of a dataset, with the images that its page shows.
package struct CheckedDataset: CheckResult {
  private let result: DatasetCheckResult
  private let images: (dataset: PairDataset, rows: [Int])?

  /// - Parameters:
  ///   - dataset: the pairs; `nil` when features alone were checked.
  ///   - rows: the row in it of each pair of the result.
  package init(_ result: DatasetCheckResult, dataset: PairDataset?, rows: [Int]) {
    self.result = result
    images = dataset.map { ($0, rows) }
  }

  package var verdict: Verdict { result.verdict }
  package var json: JSONValue { result.json }
  package var scores: [Float] { result.scores }

  /// The scores, and the keys of the pairs that stay, and of those that do not.
  package var tables: [(ending: String, text: @Sendable () -> String)] {
    [
      (".csv", { [result] in result.csv }), (".txt", { [result] in result.cleanedList }),
      (".suspects", { [result] in result.suspectList }),
    ]
  }

  package func checkOutput(_ path: String) throws(CLIPError) {
    try images?.dataset.checkNotRead(path)
  }

  package func page(subject: String, version: String) throws(CLIPError) -> String {
    try result.contactSheet(data: subject, version: version, images: images)
  }
}
