internal import CleanCLIPKit
internal import Glibc
internal import Synchronization

/// Ctrl-C while a command works: the first asks it to stop after the step, the second kills.
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

  /// Ends work that nobody reports progress of.
  ///
  /// - Throws: `cancelled`.
  static func check(_ work: String, _ done: Int, of total: Int) throws(CLIPError) {
    guard !wasRequested else {
      throw CLIPError(.cancelled, "\(work): cancelled after \(done) of \(total)")
    }
  }

  /// Whether somebody asked to stop.
  static var wasRequested: Bool { isRequested.load(ordering: .relaxed) }
}
