internal import Glibc

/// Cuts blocks from a few large regions of the address space and joins what is given back.
///
/// Pages count as memory only once they are written, so that regions may be much larger than what
/// is in use. A step of training asks for the same blocks in the same order each time, and finds
/// them at the same addresses. Addresses are numbers here: nothing is read or written.
package struct MemoryRegions {
  private struct Block {
    var start: UInt
    var byteCount: Int
    var end: UInt { start + UInt(byteCount) }
  }

  private struct Region {
    let start: UInt
    let byteCount: Int
    /// Unused blocks by address; neighbours are always joined.
    var free: [Block]

    var isUnused: Bool { free.count == 1 && free[0].byteCount == byteCount }
    func contains(_ address: UInt) -> Bool { address >= start && address - start < UInt(byteCount) }
  }

  private static let hugePage = 2 << 20
  private var regions: [Region] = []

  package init() {}

  /// Returns the smallest unused block that fits, cut to size; `nil` where there is none.
  package mutating func take(_ byteCount: Int) -> UInt? {
    var best: (region: Int, index: Int, rest: Int)?
    for (region, candidate) in regions.enumerated() {
      for (index, block) in candidate.free.enumerated() where block.byteCount >= byteCount {
        let rest = block.byteCount - byteCount
        if rest < best?.rest ?? Int.max { best = (region, index, rest) }
      }
    }
    guard let (region, index, rest) = best else { return nil }
    let start = regions[region].free[index].start
    if rest == 0 {
      regions[region].free.remove(at: index)
    } else {
      regions[region].free[index] = Block(start: start + UInt(byteCount), byteCount: rest)
    }
    return start
  }

  /// Gives back what `take` returned.
  package mutating func give(_ start: UInt, _ byteCount: Int) {
    guard let region = regions.firstIndex(where: { $0.contains(start) }) else {
      preconditionFailure("a block is in a region")
    }
    var free = regions[region].free
    regions[region].free = []  // The only reference: changed in place.
    defer { regions[region].free = free }
    var block = Block(start: start, byteCount: byteCount)
    let next = free.firstIndex { $0.start > start } ?? free.count
    if next < free.count, free[next].start == block.end {
      block.byteCount += free[next].byteCount
      free.remove(at: next)
    }
    if next > 0, free[next - 1].end == start {
      free[next - 1].byteCount += block.byteCount
    } else {
      free.insert(block, at: next)
    }
  }

  /// Reserves a region for a block of this size, larger each time.
  ///
  /// - Returns: `false` when the system has none, or it would be of `AddressSpace.reserve`.
  package mutating func grow(for byteCount: Int) -> Bool {
    let total = regions.reduce(0) { $0 + $1.byteCount }
    let wanted = max(byteCount, min(1 << 30, max(64 << 20, total)))
    return reserve(wanted) || (wanted > byteCount && reserve(byteCount))
  }

  private mutating func reserve(_ byteCount: Int) -> Bool {
    let (size, overflow) = byteCount.addingReportingOverflow(2 * Self.hugePage)
    guard !overflow else { return false }
    let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapped, mapped != MAP_FAILED else { return false }
    guard AddressSpace.hasReserve else {
      munmap(mapped, size)
      return false
    }
    let address = UInt(bitPattern: mapped)
    // From one boundary of large pages to another; what is left on both sides goes back.
    let mask = UInt(Self.hugePage - 1)
    let start = (address + mask) & ~mask
    let end = (address + UInt(size)) & ~mask
    if start > address { munmap(mapped, Int(start - address)) }
    let tail = address + UInt(size) - end
    if tail > 0 { munmap(UnsafeMutableRawPointer(bitPattern: end), Int(tail)) }
    let count = Int(end - start)
    madvise(UnsafeMutableRawPointer(bitPattern: start), count, MADV_HUGEPAGE)
    regions.append(
      Region(start: start, byteCount: count, free: [Block(start: start, byteCount: count)]))
    return true
  }

  /// Gives unused memory back to the system.
  package mutating func trim() {
    for region in regions where region.isUnused {
      munmap(UnsafeMutableRawPointer(bitPattern: region.start), region.byteCount)
    }
    regions.removeAll(where: \.isUnused)
    let mask = UInt(getpagesize() - 1)
    for block in regions.lazy.flatMap(\.free) {
      let start = (block.start + mask) & ~mask
      let end = block.end & ~mask
      guard start < end else { continue }
      madvise(UnsafeMutableRawPointer(bitPattern: start), Int(end - start), MADV_DONTNEED)
    }
  }
}
