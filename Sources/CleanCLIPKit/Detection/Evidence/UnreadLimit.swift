/// How much may be left out unread under a clean verdict.
package struct UnreadLimit: Equatable, Sendable {
  /// A number from 1; below 1 a fraction of all.
  package var allowed: Double

  package init(_ allowed: Double) { self.allowed = allowed }

  static let rules = [OptionRule<UnreadLimit>("allow_unread", \.allowed, .from(0))]

  /// - Throws: `invalidArgument` for a number out of range.
  package func validate() throws(CLIPError) { try Self.rules.check(self) }

  /// Whether more of `count` were left out than a clean verdict bears.
  func isExceeded(by unread: Int, of count: Int) -> Bool {
    Double(unread) > (allowed < 1 ? allowed * Double(count) : allowed)
  }
}
