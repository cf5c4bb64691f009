internal import Glibc

extension CLIPError {
  /// Describes a failed system call by `errno`, read at once.
  package static func system(_ path: String, _ action: String, remedy: String? = nil) -> CLIPError {
    let number = errno
    let reason = String(cString: strerror(number)).lowercased()
    let code: Code =
      switch number {
      case ENOENT, ENOTDIR: .notFound
      case ENOMEM: .outOfMemory
      default: .io
      }
    let advice =
      remedy
      ?? (number == ENOSPC || number == EDQUOT
        ? "free space on that disk" : "check the path and its permissions")
    return CLIPError(
      code, "'\(path)': cannot \(action): \(reason); \(advice)")
  }

  /// Refuses paths that the system would cut at a NUL character.
  package static func checkPath(_ path: String) throws(CLIPError) {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw CLIPError(
        .invalidArgument,
        "path: is empty or has a NUL character; expected a file name, got \(path.utf8.count) bytes")
    }
  }
}
