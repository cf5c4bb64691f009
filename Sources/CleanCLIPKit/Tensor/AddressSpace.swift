internal import Glibc

/// What must stay free of the address space where it is limited (RLIMIT_AS, `ulimit -v`).
///
/// The libraries below the engine do not fail where they get no memory: OpenBLAS waits until it gets its
/// buffers, Swift's run time traps. So tensors leave what these may take, and are what fails.
package enum AddressSpace {
  /// The buffer of each of OpenBLAS's threads, which the first call of one maps.
  private static let openBLASBuffer = 128 << 20
  /// The arena that glibc's `malloc` maps for a thread.
  private static let threadArena = 64 << 20
  /// Compiled primitives, stacks of helpers, and the objects of the Swift run time.
  private static let rest = 64 << 20

  /// Bytes that stay free: for one buffer of OpenBLAS, and for each computing thread a stack and an arena.
  static var reserve: Int { reserve(threads: Threads.count) }

  private static func reserve(threads: Int) -> Int {
    let stack = softLimit(RLIMIT_STACK).map { min($0, 64 << 20) } ?? 8 << 20
    return openBLASBuffer + rest + threads * (stack + threadArena)
  }

  /// Whether there is a limit.
  static var isLimited: Bool { softLimit(RLIMIT_AS) != nil }

  /// Whether `reserve` is free; always without a limit.
  static var hasReserve: Bool { !isLimited || isFree(reserve) }

  /// Checks that a process may begin, computing with one thread at least.
  ///
  /// - Throws: `outOfMemory` where libraries could end or stop it.
  package static func check() throws(CLIPError) {
    let least = reserve(threads: 1)
    guard !isLimited || isFree(least) else {
      throw CLIPError(
        .outOfMemory,
        "address space: its limit leaves too little; expected \(least >> 20) MiB for libraries; "
          + "raise the limit (ulimit -v)")
    }
  }

  private static func isFree(_ byteCount: Int) -> Bool {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    let mapped = mmap(nil, byteCount, PROT_NONE, flags, -1, 0)
    guard let mapped, mapped != MAP_FAILED else { return false }
    munmap(mapped, byteCount)
    return true
  }

  /// Returns a limit of the process in bytes; `nil` where there is none.
  private static func softLimit(_ resource: __rlimit_resource) -> Int? {
    var limit = rlimit()
    guard getrlimit(Int32(resource.rawValue), &limit) == 0, limit.rlim_cur < UInt(Int.max) else {
      return nil
    }
    return Int(limit.rlim_cur)
  }
}
