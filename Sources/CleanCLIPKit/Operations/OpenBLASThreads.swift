internal import CKernels
internal import COpenBLAS
internal import Glibc

/// The number of OpenBLAS's threads, which is the process's, and the host's for its own products.
///
/// Products that want the same number run beside one another; one that wants another waits for them. The
/// last to leave puts back what the host had set.
final class OpenBLASThreads: @unchecked Sendable {
  // Sendable: what changes is reached under the lock only.
  static let shared = OpenBLASThreads()

  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var products = 0
  private var current: Int32 = 0
  private var host: Int32 = 0

  private init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  /// Runs a product with this number of threads; the process does not fork meanwhile.
  func with(_ count: Int32, _ product: () -> Void) {
    ck_hold_fork()
    defer { ck_release_fork() }
    pthread_mutex_lock(mutex)
    while products > 0 && current != count { pthread_cond_wait(changed, mutex) }
    if products == 0 {
      host = openblas_get_num_threads()
      openblas_set_num_threads(count)
      current = count
    }
    products += 1
    pthread_mutex_unlock(mutex)

    product()

    pthread_mutex_lock(mutex)
    products -= 1
    if products == 0 {
      openblas_set_num_threads(host)
      pthread_cond_broadcast(changed)
    }
    pthread_mutex_unlock(mutex)
  }
}
