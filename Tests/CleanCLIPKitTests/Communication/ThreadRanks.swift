import CleanCLIPKit
import Glibc

/// Ranks that are threads of this process, and collectives through its memory.
final class ThreadRanks: @unchecked Sendable {
  // Sendable: everything that changes is reached with the mutex held.
  let size: Int
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var arrived = 0
  private var round = 0
  private var lost: [Int] = []
  fileprivate var parts: [UnsafeRawPointer?]
  /// Calls and bytes that rank 0 has sent.
  fileprivate(set) var calls = 0
  fileprivate(set) var bytes = 0

  init(_ size: Int) {
    self.size = size
    parts = Array(repeating: nil, count: size)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Runs the work of each rank on a thread of its own, inside `together`.
  func run<Value>(
    _ body: @escaping @Sendable (Communicator) throws(CLIPError) -> Value
  ) -> [Result<Value, CLIPError>] {
    var results = [Result<Value, CLIPError>](repeating: .failure(.lost(-1)), count: size)
    results.withUnsafeMutableBufferPointer { results in
      // A rank's thread writes its own result; all are joined before they are read.
      nonisolated(unsafe) let results = results
      let threads = (0..<size).map { rank in
        ThreadWork { [self] in
          do throws(CLIPError) {
            let communicator = try Communicator(Endpoint(rank: rank, ranks: self))
            results[rank] = .success(
              try communicator.together { () throws(CLIPError) in try body(communicator) })
          } catch {
            results[rank] = .failure(error)
          }
        }.start()
      }
      for thread in threads { pthread_join(thread, nil) }
    }
    return results
  }

  /// Lets a rank vanish: it answers no more.
  func lose(_ rank: Int) {
    pthread_mutex_lock(mutex)
    lost.append(rank)
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Waits until all ranks are here.
  fileprivate func meet() throws(CLIPError) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    // Of a round that was given up, the arrivals still count: nobody may complete it.
    if let rank = lost.first { throw .lost(rank) }
    let own = round
    arrived += 1
    if arrived == size {
      arrived = 0
      round += 1
      pthread_cond_broadcast(condition)
    }
    while round == own && lost.isEmpty { pthread_cond_wait(condition, mutex) }
    if round == own, let rank = lost.first { throw .lost(rank) }
  }

  fileprivate func put(_ pointer: UnsafeRawPointer?, rank: Int, byteCount: Int) {
    pthread_mutex_lock(mutex)
    parts[rank] = pointer
    if rank == 0 {
      calls += 1
      bytes += byteCount
    }
    pthread_mutex_unlock(mutex)
  }
}

/// What a thread does.
private final class ThreadWork {
  private let body: () -> Void

  init(_ body: @escaping () -> Void) { self.body = body }

  func start() -> pthread_t {
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<ThreadWork>.fromOpaque(argument).takeRetainedValue().body()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    return thread
  }
}

extension CLIPError {
  /// What a host says of a rank that does not answer.
  static func lost(_ rank: Int) -> CLIPError {
    CLIPError(
      .io, "communicator: rank \(rank) does not answer; expected all ranks, got a closed end")
  }
}

/// One rank's side.
private struct Endpoint: Collectives {
  let rank: Int
  let ranks: ThreadRanks
  var size: Int { ranks.size }

  func allReduceSum(_ values: UnsafeMutableBufferPointer<Float>) throws(CLIPError) {
    ranks.put(values.baseAddress, rank: rank, byteCount: 4 * values.count)
    try ranks.meet()
    var sums = [Float](repeating: 0, count: values.count)
    for part in ranks.parts {
      guard let part else { continue }
      let other = part.assumingMemoryBound(to: Float.self)
      for index in sums.indices { sums[index] += other[index] }
    }
    try ranks.meet()
    _ = values.update(from: sums)
    try ranks.meet()
  }

  func allGather(
    _ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer
  ) throws(CLIPError) {
    ranks.put(sent.baseAddress, rank: rank, byteCount: sent.count)
    try ranks.meet()
    for (other, part) in ranks.parts.enumerated() {
      guard let part, let target = received.baseAddress else { continue }
      memcpy(target + other * sent.count, part, sent.count)
    }
    try ranks.meet()
  }

  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws(CLIPError) {
    ranks.put(UnsafeRawPointer(bytes.baseAddress), rank: rank, byteCount: bytes.count)
    try ranks.meet()
    if rank != root, let source = ranks.parts[root], let target = bytes.baseAddress {
      memcpy(target, source, bytes.count)
    }
    try ranks.meet()
  }
}
