internal import Glibc

/// Asks the host, in the course of long reading, writing and computing, whether to continue. Each thread has
/// its own question, because each has its own calls.
package enum Polling {
  /// Returns false to end the call.
  package typealias Question = () -> Bool

  private final class Box {
    let question: Question
    init(_ question: @escaping Question) { self.question = question }
  }

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key) { pointer in
      if let pointer { Unmanaged<Box>.fromOpaque(pointer).release() }
    }
    return key
  }()

  /// Sets who is asked on this thread; `nil` for nobody.
  package static func set(_ question: Question?) {
    if let old = pthread_getspecific(key) { Unmanaged<Box>.fromOpaque(old).release() }
    pthread_setspecific(key, question.map { Unmanaged.passRetained(Box($0)).toOpaque() })
  }

  /// Asks.
  ///
  /// - Throws: `cancelled`.
  package static func check() throws(CLIPError) {
    guard let pointer = pthread_getspecific(key) else { return }
    let box = Unmanaged<Box>.fromOpaque(pointer).takeUnretainedValue()
    guard box.question() else {
      throw CLIPError(.cancelled, "the poll callback asked to stop; expected 0, got another result")
    }
  }
}
