internal import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_memory_in_use() -> Int64 {
  Int64(MemoryPool.shared.statistics.liveBytes)
}

@c @implementation
public func cleanclip_memory_peak() -> Int64 {
  Int64(MemoryPool.shared.statistics.peakBytes)
}

@c @implementation
public func cleanclip_memory_trim() {
  MemoryPool.shared.trim()
}
