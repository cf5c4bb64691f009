/// Which pairs of a dataset SafeCLIP trusts, from the cosines between their images and captions.
///
/// In the first split safe are those that a mixture of two normal distributions gives to the higher one; from
/// then on a growing fraction of the pairs with the highest cosines.
package final class SafeSplit {
  /// `[N]` when a pair was last seen; `unseen` before that.
  private let cosines: Tensor
  /// `[N]` 1 for safe.
  private let marks: Tensor
  /// The number of splits so far, and how many pairs were safe in the first.
  private let counts: Tensor
  /// t, the probability of the higher distribution above which a pair is safe at first.
  private let safeProbability: Float

  private static let unseen: Float = -2
  /// What the safe fraction grows by in each split.
  private static let growth = 0.01
  /// The safe fraction from which it does not grow.
  private static let mostSafe = 0.85

  /// - Parameters:
  ///   - pairs: N.
  ///   - safeProbability: t.
  package init(pairs: Int, safeProbability: Float) throws(CLIPError) {
    self.safeProbability = safeProbability
    cosines = try Tensor([Float](repeating: Self.unseen, count: pairs), [pairs])
    marks = try Tensor.zeros([pairs], .i32)
    counts = try Tensor([0, 0] as [Int32], [2])
  }

  /// For a saved state.
  package var state: [(name: String, tensor: Tensor)] {
    [("split.cosines", cosines), ("split.marks", marks), ("split.counts", counts)]
  }

  /// Whether a pair is safe in the current split.
  package func isSafe(_ row: Int) -> Bool { marks.i32[row] == 1 }

  package var safeCount: Int { (0..<marks.count).count { isSafe($0) } }

  /// Splits made so far.
  package var splits: Int { Int(counts.i32[0]) }

  /// Keeps the cosine of a pair.
  package func add(_ cosine: Float, of row: Int) { cosines.f32[row] = cosine }

  /// Splits anew.
  ///
  /// - Throws: `invalidArgument` for fewer than four pairs that were seen, or cosines that are all
  ///   equal, in the first split.
  package func split() throws(CLIPError) {
    let seen = (0..<cosines.count).filter { cosines.f32[$0] != Self.unseen }
    let safe: [Int]
    if splits == 0 {
      let mixture = try GaussianMixture(seen.map { cosines.f32[$0] })
      safe = seen.filter { 1 - mixture.lowProbability(cosines.f32[$0]) > safeProbability }
      counts.i32[1] = Int32(safe.count)
    } else {
      let first = Double(counts.i32[1]) / Double(cosines.count)
      let fraction = max(first, min(Self.mostSafe, first + Self.growth * Double(splits)))
      let ranked = seen.sorted {
        (cosines.f32[$0], $1) > (cosines.f32[$1], $0)
      }
      safe = Array(ranked.prefix(Int((fraction * Double(cosines.count)).rounded())))
    }
    for row in 0..<marks.count { marks.i32[row] = 0 }
    for row in safe { marks.i32[row] = 1 }
    counts.i32[0] += 1
  }
}
