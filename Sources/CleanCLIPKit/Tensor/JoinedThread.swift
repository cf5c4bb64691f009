internal import Glibc

/// A thread that is joined.
enum JoinedThread {
  private final class Work {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
  }

  /// Starts a thread, for `pthread_join`.
  ///
  /// - Throws: `outOfMemory` where the process can have no more.
  static func start(_ body: @escaping @Sendable () -> Void) throws(CLIPError) -> pthread_t {
    let work = Unmanaged.passRetained(Work(body))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
        return nil
      }, work.toOpaque())
    guard status == 0 else {
      work.release()
      throw CLIPError(
        .outOfMemory,
        "threads: the process can have no more; expected at least one, got error \(status)")
    }
    return thread
  }
}
