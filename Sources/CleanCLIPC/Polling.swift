public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_set_poll_callback(
  _ callback: cleanclip_poll_callback?, _ user_data: UnsafeMutableRawPointer?
) {
  guard let callback else { return Polling.set(nil) }
  Polling.set { callback(user_data) == 0 }
}
