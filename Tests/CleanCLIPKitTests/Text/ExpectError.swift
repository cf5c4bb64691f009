import CleanCLIPKit
import Testing

/// Expects `body` to throw a `CLIPError` whose message contains `text`.
func expectError(
  containing text: String, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Void
) {
  do {
    try body()
    Issue.record("expected an error with '\(text)', got none", sourceLocation: sourceLocation)
  } catch {
    let message = (error as? CLIPError)?.message ?? "\(error)"
    #expect(message.contains(text), sourceLocation: sourceLocation)
  }
}
