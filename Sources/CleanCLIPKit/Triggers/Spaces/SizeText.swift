/// Sizes as people read them.
enum SizeText {
  /// One decimal below 10, none above.
  static func number(_ value: Float) -> String {
    value >= 10 ? String(Int(min(1e9, value).rounded())) : String((value * 10).rounded() / 10)
  }

  /// A share as a percentage with at most two decimals.
  static func percent(_ value: Float) -> String {
    String((value * 10000).rounded() / 100) + " %"
  }
}
