/// What a user should know while something runs.
package struct LogMessage: Equatable, Sendable {
  /// How much it matters.
  package enum Severity: Sendable {
    /// What a long run is doing and has found.
    case info
    /// What the result may depend on.
    case warning
  }

  package let severity: Severity
  package let text: String

  package init(_ severity: Severity, _ text: String) {
    self.severity = severity
    self.text = text
  }
}
