/// A failure that a caller or a file can cause.
///
/// The message reads `<what>: <what is wrong>; expected X, got Y[; <remedy>]`, lower case, without a
/// final full stop. Control characters in names from files are written as escapes.
public struct CLIPError: Error, Equatable, CustomStringConvertible {
  /// The kind of failure; values are those of `cleanclip_status` in `cleanclip.h`.
  public enum Code: UInt32, Sendable {
    case invalidArgument = 1
    case shape = 2
    case notFound = 3
    case io = 4
    case format = 5
    case unsupported = 6
    case state = 7
    case outOfMemory = 8
    case cancelled = 9
    case `internal` = 10
  }

  /// What a failure says of a state that is kept, beyond its code; values are those that ranks exchange.
  package enum SavedState: UInt16, Sendable {
    /// Work that was cancelled can be resumed from it.
    case resumable = 1
    /// It belongs to other work.
    case foreign = 2
  }

  public let code: Code
  public let message: String
  package let savedState: SavedState?

  package init(_ code: Code, _ message: String, savedState: SavedState? = nil) {
    self.code = code
    self.message = message.printable()
    self.savedState = savedState
  }

  public var description: String { message }
}
