internal import CKernels
internal import Glibc

/// A value that threads reach one at a time.
///
/// A POSIX lock, because the standard library's `Mutex` remembers thread numbers that are another's
/// after `fork`. While the lock is held the process does not fork, so that a child finds every value
/// whole and every lock free; the body must be short and must not call the host.
package final class Locked<Value>: @unchecked Sendable {
  // Sendable: the value is reached under the lock only.
  private var value: Value
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>

  package init(_ value: Value) {
    self.value = value
    mutex = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Runs a body that alone has the value; not from inside another body of the same lock.
  package func withLock<Result, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    ck_hold_fork()
    pthread_mutex_lock(mutex)
    defer {
      pthread_mutex_unlock(mutex)
      ck_release_fork()
    }
    return try body(&value)
  }
}

/// A right to call the host that one thread has at a time.
///
/// The body may take long and may fork; a thread that asks while it has the right is told so instead
/// of waiting for itself.
package final class Turn: @unchecked Sendable {
  // Sendable: there is nothing but the lock.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>

  package init() {
    mutex = .allocate(capacity: 1)
    var attributes = pthread_mutexattr_t()
    pthread_mutexattr_init(&attributes)
    pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_ERRORCHECK))
    pthread_mutex_init(mutex, &attributes)
    pthread_mutexattr_destroy(&attributes)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Runs a body when no other thread does.
  ///
  /// - Throws: `state` when this thread does already.
  package func take<Result>(
    _ body: () throws(CLIPError) -> Result
  ) throws(CLIPError) -> Result {
    guard pthread_mutex_lock(mutex) == 0 else {
      throw CLIPError(
        .state,
        "dataset: used inside its own callback; expected a callback that reads other data, got a "
          + "second call")
    }
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }
}
