internal import Glibc

/// Order statistics.
package enum Ranking {
  /// The median; NaN of nothing.
  package static func median(_ values: [Float]) -> Float {
    guard !values.isEmpty else { return .nan }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// The median absolute deviation from the median, scaled to a normal distribution's deviation.
  package static func deviation(_ values: [Float]) -> Float {
    let centre = median(values)
    return 1.4826 * median(values.map { abs($0 - centre) })
  }

  /// Scores in robust standard units: (x - median) / deviation; all 0 when they hardly differ.
  package static func standardized(_ values: [Float]) -> [Float] {
    let centre = median(values)
    let scale = deviation(values)
    guard scale > 0 else { return [Float](repeating: 0, count: values.count) }
    return values.map { ($0 - centre) / scale }
  }

  /// Indices from the highest score to the lowest; equal scores in order of the index.
  package static func descending(_ scores: [Float]) -> [Int] {
    scores.indices.sorted { (scores[$0], $1) > (scores[$1], $0) }
  }

  /// The probability that a random positive scores above a random negative, ties counting one half.
  ///
  /// - Returns: NaN unless there are both.
  package static func areaUnderROC(_ scores: [Float], isPositive: [Bool]) -> Double {
    precondition(scores.count == isPositive.count, "one label for each score")
    let order = scores.indices.sorted { scores[$0] < scores[$1] }
    let positives = isPositive.count(where: { $0 })
    let negatives = scores.count - positives
    guard positives > 0, negatives > 0 else { return .nan }
    var rankSum = 0.0
    var start = 0
    while start < order.count {
      var end = start + 1
      while end < order.count, scores[order[end]] == scores[order[start]] { end += 1 }
      let rank = Double(start + 1 + end) / 2  // mean rank of the tied scores
      for position in start..<end where isPositive[order[position]] { rankSum += rank }
      start = end
    }
    let count = Double(positives)
    return (rankSum - count * (count + 1) / 2) / (count * Double(negatives))
  }
}
