internal import Glibc

/// Lets a thread of its own compute while the thread that called the library makes the collectives that it asks for, in
/// the order in which it asks.
///
/// So the ranks exchange what is done while the rest is computed, and a host's callbacks are still called on the thread
/// that made the call.
final class CollectiveRelay: @unchecked Sendable {
  // Sendable: what both threads reach is reached under the lock only.
  private typealias Job = () throws(CLIPError) -> Void

  private let owner = pthread_self()
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private var jobs: [Job] = []
  private var posted = 0
  private var done = 0
  private var isComputed = false
  /// Why a collective failed; none is made after it.
  private var failure: CLIPError?

  init() {
    lock = .allocate(capacity: 1)
    changed = .allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(lock)
    changed.deallocate()
    lock.deallocate()
  }

  private var isOwner: Bool { pthread_equal(owner, pthread_self()) != 0 }

  /// Makes a collective when those before it are made, without waiting for it.
  ///
  /// - Throws: what one of those before it threw.
  func post(_ job: @escaping () throws(CLIPError) -> Void) throws(CLIPError) {
    guard !isOwner else { return try job() }
    _ = try enqueue(job)
  }

  /// Makes a collective when those before it are made, and waits for it.
  ///
  /// - Throws: what it or one of those before it threw.
  func perform(_ job: () throws(CLIPError) -> Void) throws(CLIPError) {
    guard !isOwner else { return try job() }
    try withoutActuallyEscaping(job) { (job) throws(CLIPError) in
      let ticket = try enqueue(job)
      pthread_mutex_lock(lock)
      defer { pthread_mutex_unlock(lock) }
      while done < ticket { pthread_cond_wait(changed, lock) }
      if let failure { throw failure }
    }
  }

  private func enqueue(_ job: @escaping Job) throws(CLIPError) -> Int {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    if let failure { throw failure }
    jobs.append(job)
    posted += 1
    pthread_cond_broadcast(changed)
    return posted
  }

  /// Computes, and makes the collectives that are asked for meanwhile.
  ///
  /// - Throws: what a collective threw, after which the body meets it at its next one; else what the body throws.
  func run<Value>(_ body: () throws(CLIPError) -> Value) throws(CLIPError) -> Value {
    try withoutActuallyEscaping(body) { (body) throws(CLIPError) in
      let work = Work(body)
      let run = { @Sendable [self] in
        Threads.beginCall()
        work.run()
        Threads.endCall()
        pthread_mutex_lock(lock)
        isComputed = true
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(lock)
      }
      // Without a thread the collectives are made when their turn comes, on this one.
      guard let thread = try? JoinedThread.start(run) else { return try body() }
      serve()
      pthread_join(thread, nil)
      if let failure { throw failure }
      guard let result = work.result else {
        throw CLIPError(
          .internal, "communicator: a thread ended early; expected its result, got none")
      }
      return try result.get()
    }
  }

  /// Makes collectives until the body is done and none is left.
  private func serve() {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    while true {
      guard !jobs.isEmpty else {
        if isComputed { return }
        pthread_cond_wait(changed, lock)
        continue
      }
      let job = jobs.removeFirst()
      if failure == nil {
        pthread_mutex_unlock(lock)
        var thrown: CLIPError?
        do throws(CLIPError) { try job() } catch { thrown = error }
        pthread_mutex_lock(lock)
        failure = thrown
      }
      done += 1
      pthread_cond_broadcast(changed)
    }
  }
}

/// What a thread of its own does, and what comes of it.
private final class Work<Value>: @unchecked Sendable {
  // Sendable: the thread alone reaches it until it is joined.
  private let body: () throws(CLIPError) -> Value
  private(set) var result: Result<Value, CLIPError>?

  init(_ body: @escaping () throws(CLIPError) -> Value) { self.body = body }

  func run() {
    do throws(CLIPError) { result = .success(try body()) } catch { result = .failure(error) }
  }
}
