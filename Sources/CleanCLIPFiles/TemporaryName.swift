internal import Glibc

/// Names of files and folders that are being written, beside what they will become.
///
/// Whoever writes holds a lock (`flock`) until the end, which the system takes away from a process
/// that was killed. What has such a name and no lock is a leftover, and goes away the next time that
/// something of that name is written.
package enum TemporaryName {
  /// Writers of the same target at a time.
  package static let slots = 0..<16
  /// Longest part of the target's name that the temporary one repeats; names have 255 bytes.
  private static let longestName = 200

  package static func name(for target: String, slot: Int) -> String {
    let slash = target.lastIndex(of: "/")
    let folder = slash.map { String(target[...$0]) } ?? ""
    let name = slash.map { target[target.index(after: $0)...] } ?? target[...]
    return folder + "." + String(decoding: name.utf8.prefix(longestName), as: UTF8.self)
      + ".cleanclip-\(slot)"
  }

  /// Removes what killed processes left of writing `target`.
  package static func removeLeftovers(of target: String) {
    for slot in slots { removeIfLeftover(name(for: target, slot: slot)) }
  }

  /// Removes a temporary file or folder that no process writes.
  ///
  /// - Returns: whether it is gone.
  @discardableResult
  static func removeIfLeftover(_ name: String) -> Bool {
    let descriptor = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return errno == ENOENT }
    defer { close(descriptor) }
    var status = stat()
    guard lock(descriptor, name), fstat(descriptor, &status) == 0 else { return false }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return unlink(name) == 0
    case S_IFDIR: return removeFolder(name)
    default: return false
    }
  }

  /// Takes the lock of something that has this name, without waiting.
  ///
  /// - Returns: `false` when another process has it, or removed the file before it was locked.
  package static func lock(_ descriptor: Int32, _ name: String) -> Bool {
    var mine = stat()
    var named = stat()
    return flock(descriptor, LOCK_EX | LOCK_NB) == 0 && fstat(descriptor, &mine) == 0
      && lstat(name, &named) == 0 && mine.st_ino == named.st_ino && mine.st_dev == named.st_dev
  }

  /// Removes a folder of files.
  package static func removeFolder(_ path: String) -> Bool {
    if let folder = opendir(path) {
      while let entry = readdir(folder) {
        withUnsafePointer(to: &entry.pointee.d_name) { name in
          name.withMemoryRebound(to: CChar.self, capacity: 256) { name in
            _ = unlinkat(dirfd(folder), name, 0)
          }
        }
      }
      closedir(folder)
    }
    return rmdir(path) == 0
  }
}
