internal import Glibc
internal import Synchronization

/// Ctrl-C while a command trains: the first asks it to stop after the step, the second kills.
enum Interruption {
  private static let isRequested = Atomic<Bool>(false)

  /// Starts listening.
  static func listen() {
    signal(SIGINT) { _ in
      Interruption.isRequested.store(true, ordering: .relaxed)
      signal(SIGINT, SIG_DFL)
    }
    signal(SIGTERM) { _ in
      Interruption.isRequested.store(true, ordering: .relaxed)
      signal(SIGTERM, SIG_DFL)
    }
  }

  /// Whether somebody asked to stop.
  static var wasRequested: Bool { isRequested.load(ordering: .relaxed) }
}
