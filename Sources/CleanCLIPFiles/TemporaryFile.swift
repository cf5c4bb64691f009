internal import Glibc

/// A file without a name, which gets one when its content is whole: a process that is killed before
/// leaves nothing. Where the file system knows no such files, it has a temporary name.
struct TemporaryFile: ~Copyable {
  let descriptor: Int32
  private let target: String
  private var name: String?

  /// `O_TMPFILE`, which is not imported; `O_DIRECTORY` makes systems without it fail.
  private static let withoutName = O_DIRECTORY | 0o20_000_000

  /// Opens a file for writing, in the folder of `target` and with its mode, when there is one.
  ///
  /// - Parameter path: what messages call the target.
  /// - Throws: `io` or `notFound`.
  init(for target: String, path: String) throws(CLIPError) {
    TemporaryName.removeLeftovers(of: target)
    let descriptor: Int32
    let name: String?
    if let unnamed = Self.openWithoutName(for: target) {
      (descriptor, name) = (unnamed, nil)
    } else {
      (descriptor, name) = try Self.openNamed(for: target, path: path)
    }
    var status = stat()
    if stat(target, &status) == 0 { fchmod(descriptor, status.st_mode & 0o7777) }
    self.descriptor = descriptor
    self.name = name
    self.target = target
  }

  /// Opens a file in memory for writing, which takes no name.
  ///
  /// - Throws: `io`.
  init(_ memory: MemoryFile) throws(CLIPError) {
    let descriptor = try memory.duplicate()
    self.descriptor = descriptor
    target = memory.name
    name = nil
  }

  deinit {
    close(descriptor)
    if let name { unlink(name) }
  }

  /// Gives the file the target's name, in place of what has it.
  ///
  /// - Throws: `io` or `notFound`.
  mutating func takeName(path: String) throws(CLIPError) {
    if name == nil {
      if linkat(AT_FDCWD, Self.link(to: descriptor), AT_FDCWD, target, AT_SYMLINK_FOLLOW) == 0 {
        return
      }
      guard errno == EEXIST else { throw CLIPError.system(path, "name the file") }
      // A link does not replace: only renaming does.
      name = try linked(path: path)
    }
    guard let name, rename(name, target) == 0 else {
      throw CLIPError.system(path, "rename the file")
    }
    self.name = nil
  }

  private func linked(path: String) throws(CLIPError) -> String {
    for slot in TemporaryName.slots {
      let name = TemporaryName.name(for: target, slot: slot)
      guard TemporaryName.removeIfLeftover(name) else { continue }
      if linkat(AT_FDCWD, Self.link(to: descriptor), AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0 {
        return name
      }
      guard errno == EEXIST else { throw CLIPError.system(path, "name the file") }
    }
    throw Self.occupied(path)
  }

  private static func openWithoutName(for target: String) -> Int32? {
    let descriptor = open(folder(of: target), withoutName | O_WRONLY | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { return nil }
    guard access(link(to: descriptor), F_OK) == 0 else {
      close(descriptor)
      return nil
    }
    // Held from before the file has a temporary name until it has its own.
    flock(descriptor, LOCK_EX | LOCK_NB)
    return descriptor
  }

  private static func openNamed(
    for target: String, path: String
  ) throws(CLIPError) -> (descriptor: Int32, name: String) {
    // The old file's mode follows; until then, none may read more than before.
    let mode: mode_t = access(target, F_OK) == 0 ? 0o600 : 0o666
    for slot in TemporaryName.slots {
      let name = TemporaryName.name(for: target, slot: slot)
      let descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
      if descriptor >= 0 {
        // Another process may have taken it for a leftover before it was locked.
        if TemporaryName.lock(descriptor, name) || errno == ENOLCK || errno == EOPNOTSUPP {
          return (descriptor, name)
        }
        close(descriptor)
      } else if errno != EEXIST {
        throw CLIPError.system(path, "create the file")
      }
    }
    throw occupied(path)
  }

  private static func occupied(_ path: String) -> CLIPError {
    CLIPError(
      .io,
      "'\(path)': cannot create the file; expected at most \(TemporaryName.slots.count) programs "
        + "that write it at once, got more; remove the hidden files beside it")
  }

  private static func link(to descriptor: Int32) -> String { "/proc/self/fd/\(descriptor)" }

  private static func folder(of target: String) -> String {
    target.lastIndex(of: "/").map { String(target[...$0]) } ?? "."
  }
}
