public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_set_log_callback(
  _ callback: cleanclip_log_callback?, _ user_data: UnsafeMutableRawPointer?
) {
  HostLog.receiver.withLock { $0 = HostLog(callback: callback, userData: user_data) }
}

/// Who is called with warnings.
struct HostLog: @unchecked Sendable {
  // Sendable: the host promises that its callback may be called from any thread.
  fileprivate var callback: cleanclip_log_callback?
  fileprivate var userData: UnsafeMutableRawPointer?

  fileprivate static let receiver = Locked(HostLog())

  /// Tells the host, on this thread.
  static func write(_ message: String) {
    let log = receiver.withLock { $0 }
    guard let callback = log.callback else { return }
    message.withCString { callback($0, log.userData) }
  }
}
