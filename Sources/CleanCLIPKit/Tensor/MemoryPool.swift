internal import Glibc

/// Keeps freed tensor memory for the next tensors.
///
/// A training step asks for the same sizes in every iteration, so after the first step nothing is
/// allocated. Small blocks are kept by size class; large ones are cut from `MemoryRegions`, where
/// what activations leave serves gradients. Blocks are 64-byte aligned.
package final class MemoryPool: Sendable {
  package static let shared = MemoryPool()

  /// What the pool holds and has done.
  package struct Statistics: Sendable {
    /// Bytes in live tensors.
    package var liveBytes = 0
    /// The highest `liveBytes` since the last reset.
    package var peakBytes = 0
    /// Calls of the system allocator; constant in the steady state of a training loop.
    package var systemAllocations = 0
  }

  private struct State {
    var free: [Int: [UInt]] = [:]
    var regions = MemoryRegions()
    var statistics = Statistics()
  }

  #if DEBUG
    /// All of it comes from the system's allocator and goes back to it at once, so that sanitizers see who
    /// writes too far and who reads what is gone.
    private static let largestSmall = Int.max
    private static let keepsFreed = false
  #else
    private static let largestSmall = 64 << 10
    private static let keepsFreed = true
  #endif

  private let state = Locked(State())

  package var statistics: Statistics { state.withLock { $0.statistics } }

  /// Starts a new measurement of `peakBytes`.
  package func resetPeak() {
    state.withLock { $0.statistics.peakBytes = $0.statistics.liveBytes }
  }

  /// Returns all unused memory to the system.
  package func trim() {
    state.withLock { state in
      for (_, blocks) in state.free {
        for block in blocks { Glibc.free(UnsafeMutableRawPointer(bitPattern: block)) }
      }
      state.free = [:]
      state.regions.trim()
    }
  }

  /// The size that a request takes: 64-byte steps up to 4 KiB, then, for small blocks, steps of an
  /// eighth of the size, which limits the number of classes.
  static func roundedSize(_ byteCount: Int) -> Int {
    let step =
      byteCount <= 4096 || byteCount > largestSmall
      ? 64 : 1 << max(6, Int.bitWidth - byteCount.leadingZeroBitCount - 4)
    return max(64, (byteCount + step - 1) / step * step)
  }

  /// Returns uninitialised memory of at least `byteCount` bytes.
  ///
  /// - Throws: `outOfMemory` when the system has none, after unused blocks were given back.
  func allocate(_ byteCount: Int) throws(CLIPError) -> UnsafeMutableRawPointer {
    let size = Self.roundedSize(byteCount)
    var block = take(size)
    if block == nil {
      trim()
      block = take(size)
    }
    guard let block, let pointer = UnsafeMutableRawPointer(bitPattern: block) else {
      throw CLIPError(
        .outOfMemory,
        "tensor: out of memory; expected \(size) free bytes"
          + (AddressSpace.isLimited
            ? " beside \(AddressSpace.reserve >> 20) MiB of address space for libraries; use fewer "
              + "threads, a smaller batch, or a higher limit"
            : "; use a smaller batch"))
    }
    return pointer
  }

  private func take(_ size: Int) -> UInt? {
    state.withLock { state in
      let isSmall = size <= Self.largestSmall
      var block = isSmall ? state.free[size]?.popLast() : state.regions.take(size)
      if block == nil {
        state.statistics.systemAllocations += 1
        if isSmall {
          let isSafe = AddressSpace.hasReserve
          block = isSafe ? aligned_alloc(64, size).map { UInt(bitPattern: $0) } : nil
        } else if state.regions.grow(for: size) {
          block = state.regions.take(size)
        }
      }
      guard let block else { return nil }
      state.statistics.liveBytes += size
      state.statistics.peakBytes = max(state.statistics.peakBytes, state.statistics.liveBytes)
      return block
    }
  }

  func release(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
    let size = Self.roundedSize(byteCount)
    let block = UInt(bitPattern: pointer)
    state.withLock { state in
      if !Self.keepsFreed {
        Glibc.free(pointer)
      } else if size <= Self.largestSmall {
        state.free[size, default: []].append(block)
      } else {
        state.regions.give(block, size)
      }
      state.statistics.liveBytes -= size
    }
  }
}
