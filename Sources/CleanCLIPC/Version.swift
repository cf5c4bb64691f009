internal import CCleanCLIP

@c @implementation
public func cleanclip_version_number() -> UInt32 {
  UInt32(
    CLEANCLIP_VERSION_MAJOR * 1_000_000 + CLEANCLIP_VERSION_MINOR * 1_000 + CLEANCLIP_VERSION_PATCH)
}

@c @implementation
public func cleanclip_version() -> UnsafePointer<CChar>? {
  staticText(versionText)
}

/// `CLEANCLIP_VERSION_STRING` as memory that lives as long as the process; the imported macro is a
/// `String`, which does not. A test compares the two.
private let versionText: StaticString = "0.1.0"

/// Returns the bytes of a literal as a C string.
func staticText(_ text: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}
