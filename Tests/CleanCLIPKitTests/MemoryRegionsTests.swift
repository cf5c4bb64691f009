import CleanCLIPKit
import Testing

/// Expectations cannot call what changes a value.
private final class Regions {
  private var regions = MemoryRegions()
  func take(_ byteCount: Int) -> UInt? { regions.take(byteCount) }
  func give(_ start: UInt, _ byteCount: Int) { regions.give(start, byteCount) }
  func grow(for byteCount: Int) -> Bool { regions.grow(for: byteCount) }
  func trim() { regions.trim() }
}

@Suite struct MemoryRegionsTests {
  private let size = 64 << 20

  @Test func neighboursAreJoinedInAnyOrder() throws {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1]] {
      let regions = Regions()
      #expect(regions.take(64) == nil)
      #expect(regions.grow(for: size))
      let parts = [4096, size / 2, 128]
      let blocks = try parts.map { try #require(regions.take($0)) }
      for (a, b) in zip(blocks, blocks.dropFirst()) { #expect(a < b) }
      for index in order { regions.give(blocks[index], parts[index]) }
      // Whole again: a block of the whole region fits at its start.
      #expect(regions.take(size) == blocks[0])
      regions.give(blocks[0], size)
      regions.trim()
      #expect(regions.take(64) == nil)
    }
  }

  @Test func theSmallestUnusedBlockThatFitsIsTaken() throws {
    let regions = Regions()
    #expect(regions.grow(for: size))
    let large = try #require(regions.take(8192))
    let wall = try #require(regions.take(64))
    let small = try #require(regions.take(4096))
    let end = try #require(regions.take(64))
    regions.give(large, 8192)
    regions.give(small, 4096)
    #expect(regions.take(4096) == small)
    #expect(regions.take(4160) == large)
    #expect(regions.take(4032) == large + 4160)
    for (block, count) in [(large, 8192), (wall, 64), (small, 4096), (end, 64)] {
      regions.give(block, count)
    }
    regions.trim()
    #expect(regions.take(64) == nil)
  }

  @Test func blocksDoNotOverlapAndTheSameRequestsFindTheSameAddresses() throws {
    let regions = Regions()
    var addresses: [[UInt]] = []
    for _ in 0..<2 {
      var random = RandomNumbers(seed: 5)
      var live: [(start: UInt, count: Int)] = []
      var taken: [UInt] = []
      for _ in 0..<2000 {
        if live.count > 40 || (!live.isEmpty && random.integer(below: 3) == 0) {
          let block = live.remove(at: random.integer(below: live.count))
          regions.give(block.start, block.count)
          continue
        }
        let count = 64 * (1 + random.integer(below: 20_000))
        if let start = regions.take(count) {
          live.append((start, count))
          taken.append(start)
        } else {
          #expect(regions.grow(for: count))
        }
      }
      let sorted = live.sorted { $0.start < $1.start }
      for (a, b) in zip(sorted, sorted.dropFirst()) { #expect(a.start + UInt(a.count) <= b.start) }
      for block in live { regions.give(block.start, block.count) }
      addresses.append(taken)
    }
    // The first pass also grew; its last requests are those of the second.
    #expect(addresses[1].count >= addresses[0].count)
    let third = try #require(addresses[1].first)
    #expect(addresses[0].contains(third))
  }

  @Test func aRegionThatNoMachineHasIsRefused() {
    let regions = Regions()
    #expect(!regions.grow(for: 1 << 60))
    #expect(!regions.grow(for: Int.max))
    #expect(regions.take(64) == nil)
  }
}
