internal import Glibc

/// The text of the last failure, of each thread its own.
enum LastError {
  /// The thread's slot, whose text is freed when the thread ends.
  private static let key: pthread_key_t? = {
    var key = pthread_key_t()
    return pthread_key_create(&key, { free($0) }) == 0 ? key : nil
  }()

  /// Remembers a text for the current thread.
  static func set(_ text: String) {
    guard let key else { return }
    free(pthread_getspecific(key))
    pthread_setspecific(key, strdup(text))
  }

  /// The current thread's text; valid until its next `set`.
  static var text: UnsafePointer<CChar> {
    guard let key, let text = pthread_getspecific(key) else { return staticText("") }
    return UnsafePointer(text.assumingMemoryBound(to: CChar.self))
  }
}
