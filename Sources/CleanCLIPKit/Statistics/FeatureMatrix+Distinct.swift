internal import Glibc

extension FeatureMatrix {
  /// Returns the rows that no row before them equals, nor one of `known`.
  ///
  /// An image twice is its own nearest neighbour, and says nothing of how far images are from one another. Its
  /// features differ by rounding when it is encoded beside others: rows are equal up to a ten-thousandth of their length.
  ///
  /// - Parameters:
  ///   - features: `[n, E]`.
  ///   - known: `[m, E]`.
  package static func distinct(
    _ features: Tensor, besides known: Tensor? = nil
  ) throws(CLIPError) -> [Int] {
    let start = known?.shape[0] ?? 0
    let all =
      try known.map { (known) throws(CLIPError) in try Tensor.joined(known, features) } ?? features
    let width = all.shape[1]
    func distance(_ row: Int, _ other: Int) -> Float {
      var sum: Float = 0
      for column in 0..<width {
        let difference = all.f32[row * width + column] - all.f32[other * width + column]
        sum += difference * difference
      }
      return sum.squareRoot()
    }
    // Rows that may be equal are in one bin of length, or in the next.
    var bins: [Int: [Int]] = [:]
    var kept: [Int] = []
    for (row, length) in lengths(all).enumerated() {
      let length = max(1e-12, length)
      let bin = Int((logf(length) / rounding).rounded(.down))
      let isNew = (bin - 1...bin + 1).allSatisfy { bin in
        (bins[bin] ?? []).allSatisfy { distance(row, $0) > rounding * length }
      }
      guard isNew || row < start else { continue }
      bins[bin, default: []].append(row)
      if row >= start { kept.append(row - start) }
    }
    return kept
  }

  /// Relative difference up to which features are those of one image.
  private static let rounding: Float = 1e-4
}
