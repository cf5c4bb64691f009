internal import CCleanCLIP

/// The version of library and tools, as `cleanclip/version.h` has it.
package let libraryVersion = CLEANCLIP_VERSION_STRING
