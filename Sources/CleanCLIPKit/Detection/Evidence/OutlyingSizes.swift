/// The smallest of the sizes that searches of one model need, those that stand out from the others.
///
/// Two backdoors of about one size would each hide the other as a part of its reference. The k smallest, up to
/// three, are therefore judged together by the sizes beyond them: the p-value is that of the largest of
/// the k, times the number of ways to choose k, over the weight of k (a weighted Bonferroni correction,
/// with the weights 0.8, 0.1 and 0.1, because one backdoor is the rule).
package struct OutlyingSizes {
  /// Places of the k smallest in the list, the smallest first.
  package let members: [Int]
  /// How likely a clean model shows as much, of the members together.
  package let pValue: Double
  /// The sizes beyond them.
  package let reference: SizeReference

  /// The weights of k = 1, 2 and 3.
  private static let weights = [0.8, 0.1, 0.1]
  /// Sizes below which they are no reference.
  private static let fewest = 3

  /// - Parameters:
  ///   - sizes: at least one.
  ///   - kind: of the searches.
  package init(_ sizes: [Float], kind: TriggerKind, source: SizeReference.Source) {
    let order = sizes.indices.sorted { (sizes[$0], $0) < (sizes[$1], $1) }
    func judged(_ count: Int) -> (pValue: Double, reference: SizeReference) {
      let reference = SizeReference(
        source: source, sizes: order[count...].sorted().map { sizes[$0] }, kind: kind)
      let ways = (0..<count).reduce(1.0) { $0 * Double(sizes.count - $1) / Double($1 + 1) }
      // The reference itself counts the ways to choose one.
      let factor = ways / Double(sizes.count - count + 1) / Self.weights[count - 1]
      return (min(1, factor * reference.pValue(of: sizes[order[count - 1]])), reference)
    }
    var count = 1
    var best = judged(1)
    for more in 2...Self.weights.count where sizes.count - more >= Self.fewest {
      let next = judged(more)
      guard next.pValue < best.pValue else { continue }
      count = more
      best = next
    }
    members = Array(order[..<count])
    pValue = best.pValue
    reference = best.reference
  }
}
