public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_set_message_callback(
  _ callback: cleanclip_message_callback?, _ user_data: UnsafeMutableRawPointer?
) {
  HostLog.receiver.withLock { $0 = HostLog(callback: callback, userData: user_data) }
}

@c @implementation
public func cleanclip_set_log_callback(
  _ callback: cleanclip_log_callback?, _ user_data: UnsafeMutableRawPointer?
) {
  HostLog.receiver.withLock { $0 = HostLog(plainCallback: callback, userData: user_data) }
}

/// Who is called with messages.
struct HostLog: @unchecked Sendable {
  // Sendable: the host promises that its callback may be called from any thread.
  fileprivate var callback: cleanclip_message_callback?
  fileprivate var plainCallback: cleanclip_log_callback?
  fileprivate var userData: UnsafeMutableRawPointer?

  fileprivate static let receiver = Locked(HostLog())

  /// Tells the host, on this thread.
  static func write(_ message: LogMessage) {
    let log = receiver.withLock { $0 }
    message.text.withCString { text in
      log.callback?(message.severity.code, text, log.userData)
      log.plainCallback?(text, log.userData)
    }
  }

  /// Tells the host what was left out, on this thread.
  static func write(_ omissions: Omissions) {
    for line in omissions.lines { write(LogMessage(.warning, line)) }
  }
}

extension LogMessage.Severity {
  fileprivate var code: Int32 {
    switch self {
    case .info: Int32(CLEANCLIP_SEVERITY_INFO.rawValue)
    case .warning: Int32(CLEANCLIP_SEVERITY_WARNING.rawValue)
    }
  }
}
