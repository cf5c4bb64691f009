internal import Glibc

/// How frequent an entry would be at the head of a ranking if it became more frequent towards it as steadily as
/// it does below.
///
/// In clean data whole kinds of image lie apart from others, more so the more conspicuous the pairs are: night,
/// the sea, a class that is rare. Poison is different: its target is as frequent as ever among all pairs but those
/// at the very head. With ranks as standard normal scores z, and L and U the rates in the lower half and between
/// the longest head and the middle, the logit of the expected rate is
///
///     logit r(head) = logit L + b (z(head) - z(L)),   b = max(0, (logit U - logit L) / (z(U) - z(L))) + s / 2
///
/// where z(part) is the mean score of a part, and s the standard error of the slope.
struct HeadTrend {
  private let total: Int
  /// Mean score of the first 1, 2 … ranks.
  private let scores: [Double]
  private let lowerScore: Double
  private let upperScore: Double

  /// Standard errors that are added to the slope, chosen on the half of `benchmarks/dataset_verdict.py` that has
  /// seed 0.
  private static let errors = 0.5

  /// - Parameters:
  ///   - total: ranks.
  ///   - longest: the longest head, less than half of them.
  init(total: Int, longest: Int) {
    self.total = total
    scores = (1...longest).map { Self.meanScore(Double($0) / Double(total)) }
    let half = Double(total / 2) / Double(total)
    let head = Double(longest) / Double(total)
    upperScore = (half * Self.meanScore(half) - head * Self.meanScore(head)) / (half - head)
    lowerScore = -half * Self.meanScore(half) / (1 - half)
  }

  /// The expected rates of an entry, for heads of 1, 2 … ranks.
  ///
  /// - Parameter ranks: of the pairs that have it, from 0, ascending.
  func rates(_ ranks: [Int]) -> (lower: Double, ofHead: (Int) -> Double) {
    let longest = scores.count
    let lower = Double(total - total / 2)
    let upper = Double(total / 2 - longest)
    // One more pair, divided as pairs are: an entry that neither part has rises in neither.
    let inLower = Double(ranks.count { $0 >= total / 2 }) + lower / (lower + upper)
    let inUpper =
      Double(ranks.count { $0 >= longest && $0 < total / 2 }) + upper / (lower + upper)
    let (lowerRate, upperRate) = (inLower / (lower + 1), inUpper / (upper + 1))
    let distance = upperScore - lowerScore
    let error = (1 / (inLower * (1 - lowerRate)) + 1 / (inUpper * (1 - upperRate))).squareRoot()
    let rise = max(0, Self.logit(upperRate) - Self.logit(lowerRate))
    let slope = (rise + Self.errors * error) / distance
    let start = Self.logit(lowerRate) - slope * lowerScore
    return (lowerRate, { 1 / (1 + exp(-(start + slope * scores[$0 - 1]))) })
  }

  private static func logit(_ rate: Double) -> Double { log(rate / (1 - rate)) }

  /// The mean of the highest part of a standard normal distribution: φ(z) / fraction above z.
  private static func meanScore(_ fraction: Double) -> Double {
    var (low, high) = (-10.0, 10.0)
    for _ in 0..<50 {
      let middle = (low + high) / 2
      if 1 - Distributions.normal(middle) > fraction { low = middle } else { high = middle }
    }
    return exp(-low * low / 2) / (2 * Double.pi).squareRoot() / fraction
  }
}
