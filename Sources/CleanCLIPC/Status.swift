public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_status_name(_ status: cleanclip_status) -> UnsafePointer<CChar>? {
  switch status {
  case CLEANCLIP_OK: staticText("CLEANCLIP_OK")
  case CLEANCLIP_INVALID_ARGUMENT: staticText("CLEANCLIP_INVALID_ARGUMENT")
  case CLEANCLIP_SHAPE: staticText("CLEANCLIP_SHAPE")
  case CLEANCLIP_NOT_FOUND: staticText("CLEANCLIP_NOT_FOUND")
  case CLEANCLIP_IO: staticText("CLEANCLIP_IO")
  case CLEANCLIP_FORMAT: staticText("CLEANCLIP_FORMAT")
  case CLEANCLIP_UNSUPPORTED: staticText("CLEANCLIP_UNSUPPORTED")
  case CLEANCLIP_STATE: staticText("CLEANCLIP_STATE")
  case CLEANCLIP_OUT_OF_MEMORY: staticText("CLEANCLIP_OUT_OF_MEMORY")
  case CLEANCLIP_CANCELLED: staticText("CLEANCLIP_CANCELLED")
  case CLEANCLIP_INTERNAL: staticText("CLEANCLIP_INTERNAL")
  default: staticText("CLEANCLIP_UNKNOWN")
  }
}

@c @implementation
public func cleanclip_last_error() -> UnsafePointer<CChar>? {
  LastError.text
}

/// Runs the body of a C function and turns what it throws into a status and the last error.
///
/// - Parameters:
///   - function: what the messages of argument checks begin with.
///   - body: gets the checks.
func guarded(
  _ function: StaticString, _ body: (Arguments) throws(CLIPError) -> Void
) -> cleanclip_status {
  Threads.beginCall()
  defer { Threads.endCall() }
  do throws(CLIPError) {
    try body(Arguments(function: function))
    return CLEANCLIP_OK
  } catch {
    LastError.set(error.message)
    return cleanclip_status(error.code.rawValue)
  }
}
