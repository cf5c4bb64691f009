internal import Glibc
internal import Synchronization

/// Keeps freed tensor memory for the next tensor of the same size.
///
/// A training step asks for the same sizes in every iteration, so after the first step nothing is
/// allocated. Blocks are 64-byte aligned; sizes are rounded up to limit the number of classes.
package final class MemoryPool: Sendable {
  package static let shared = MemoryPool()

  /// What the pool holds and has done.
  package struct Statistics: Sendable {
    /// Bytes in live tensors.
    package var liveBytes = 0
    /// The highest `liveBytes` since the last reset.
    package var peakBytes = 0
    /// Bytes kept for reuse.
    package var cachedBytes = 0
    /// Calls of the system allocator; constant in the steady state of a training loop.
    package var systemAllocations = 0
  }

  private struct State {
    var free: [Int: [UInt]] = [:]
    var statistics = Statistics()
  }

  private let state = Mutex(State())

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
      state.statistics.cachedBytes = 0
    }
  }

  /// The size class of a request: 64-byte steps up to 4 KiB, then steps of an eighth of the size.
  static func roundedSize(_ byteCount: Int) -> Int {
    let step =
      byteCount <= 4096 ? 64 : 1 << max(6, Int.bitWidth - byteCount.leadingZeroBitCount - 4)
    return max(64, (byteCount + step - 1) / step * step)
  }

  /// Returns uninitialised memory of at least `byteCount` bytes.
  ///
  /// - Throws: `outOfMemory` when the system has none, after cached blocks were given back.
  func allocate(_ byteCount: Int) throws(CLIPError) -> UnsafeMutableRawPointer {
    let size = Self.roundedSize(byteCount)
    let cached = state.withLock { state -> UInt? in
      guard let block = state.free[size]?.popLast() else { return nil }
      state.statistics.cachedBytes -= size
      state.statistics.liveBytes += size
      state.statistics.peakBytes = max(state.statistics.peakBytes, state.statistics.liveBytes)
      return block
    }
    if let cached, let pointer = UnsafeMutableRawPointer(bitPattern: cached) { return pointer }
    var pointer = aligned_alloc(64, size)
    if pointer == nil {
      trim()
      pointer = aligned_alloc(64, size)
    }
    guard let pointer else {
      throw CLIPError(
        .outOfMemory, "tensor: out of memory; expected \(size) free bytes; use a smaller batch")
    }
    state.withLock { state in
      state.statistics.systemAllocations += 1
      state.statistics.liveBytes += size
      state.statistics.peakBytes = max(state.statistics.peakBytes, state.statistics.liveBytes)
    }
    return pointer
  }

  func release(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
    let size = Self.roundedSize(byteCount)
    state.withLock { state in
      state.free[size, default: []].append(UInt(bitPattern: pointer))
      state.statistics.cachedBytes += size
      state.statistics.liveBytes -= size
    }
  }
}
