internal import CSystem
internal import Glibc

/// A file in memory, which has no name in any folder: what a host's bytes are read as, and what a checkpoint
/// is written to that goes to no file.
package final class MemoryFile: @unchecked Sendable {
  // Sendable: the descriptor does not change; the mapping is made by who has written the file.
  /// What messages call it.
  package let name: String
  let descriptor: Int32
  private var mapping = UnsafeRawBufferPointer(start: nil, count: 0)

  /// Makes an empty file.
  ///
  /// - Throws: `io` or `outOfMemory`.
  package init(name: String) throws(CLIPError) {
    self.name = name
    descriptor = csystem_memory_file()
    guard descriptor >= 0 else { throw Self.failure(name) }
  }

  /// Makes a file of bytes, which are copied.
  ///
  /// - Throws: `io` or `outOfMemory`; `cancelled`.
  package convenience init(
    copying bytes: UnsafeRawBufferPointer, name: String
  ) throws(CLIPError) {
    try self.init(name: name)
    try AtomicFile.write(to: .memory(self)) { (file) throws(CLIPError) in try file.append(bytes) }
  }

  /// Makes a file of bytes, which are copied.
  ///
  /// - Throws: as the other `init`.
  package convenience init(copying bytes: [UInt8], name: String) throws(CLIPError) {
    try self.init(name: name)
    try AtomicFile.write(to: .memory(self)) { (file) throws(CLIPError) in try file.append(bytes) }
  }

  deinit {
    munmap(UnsafeMutableRawPointer(mutating: mapping.baseAddress), mapping.count)
    close(descriptor)
  }

  /// Returns the file's bytes, which live as long as the object; call it when all of them are written.
  ///
  /// - Throws: `io` or `outOfMemory`.
  package func bytes() throws(CLIPError) -> UnsafeRawBufferPointer {
    let count = try FileStamp(descriptor: descriptor, path: name).byteCount
    guard mapping.baseAddress == nil, count > 0 else { return mapping }
    guard let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED
    else { throw Self.failure(name) }
    mapping = UnsafeRawBufferPointer(start: start, count: count)
    return mapping
  }

  /// Returns another descriptor of the file.
  ///
  /// - Throws: `io`.
  func duplicate() throws(CLIPError) -> Int32 {
    let other = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard other >= 0 else { throw Self.failure(name) }
    return other
  }

  private static func failure(_ name: String) -> CLIPError {
    CLIPError.system(name, "hold it in memory", remedy: "close files or free memory")
  }
}

/// Where a file goes that is written.
package enum FileDestination: Sendable {
  case path(String)
  case memory(MemoryFile)

  /// What messages call it.
  package var name: String {
    switch self {
    case .path(let path): path
    case .memory(let file): file.name
    }
  }

  /// The path of a file in a folder; `nil` for one in memory, which has nothing beside it.
  package var path: String? {
    if case .path(let path) = self { path } else { nil }
  }
}
