internal import Glibc

/// The batches of one epoch, made by threads that live as long as this object.
package final class PairStream {
  private let work: StreamWork
  private var threads: [pthread_t] = []

  init(_ loader: PairLoader, epoch: Int, firstBatch: Int) throws(CLIPError) {
    work = StreamWork(loader, epoch: epoch, firstBatch: firstBatch)
    for _ in 0..<loader.options.workers {
      do throws(CLIPError) {
        threads.append(try JoinedThread.start { [work] in work.run() })
      } catch {
        guard !threads.isEmpty else { throw error }
        break
      }
    }
  }

  deinit {
    work.stop()
    for thread in threads { pthread_join(thread, nil) }
  }

  /// Returns the next batch, or `nil` at the end of the epoch.
  ///
  /// - Throws: `format` when too many rows are bad; `outOfMemory`.
  package func next() throws(CLIPError) -> TrainingBatch? {
    let start = Self.seconds
    let result = work.takeNext()
    work.loader.reportEvents(waited: Self.seconds - start)
    return try result.get()
  }

  private static var seconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}

/// What the threads of a stream share.
///
/// A unit of work is one row of one batch, so that a single batch is spread over all threads; the
/// thread that finishes a batch's last row replaces its bad rows and completes it.
final class StreamWork: @unchecked Sendable {
  // Sendable: all variables are read and written with the lock held.
  let loader: PairLoader
  private let epoch: Int
  private let order: [Int]
  private let lock: Lock
  /// Batches that are being made or wait to be taken, by number.
  private var batches: [Int: BatchBuilder] = [:]
  private var finished: [Int: TrainingBatch] = [:]
  /// The batch to be taken next.
  private var taken: Int
  /// The row to be worked on next: its batch, and its place there.
  private var batch: Int
  private var place = 0
  private var isStopped = false
  private var failure: CLIPError?

  init(_ loader: PairLoader, epoch: Int, firstBatch: Int) {
    self.loader = loader
    self.epoch = epoch
    order = loader.order(of: epoch)
    lock = Lock()
    taken = firstBatch
    batch = firstBatch
  }

  /// Makes all threads return after the row that they work on.
  func stop() {
    lock.locked {
      isStopped = true
      lock.wakeAll()
    }
  }

  /// Waits for the next batch.
  func takeNext() -> Result<TrainingBatch?, CLIPError> {
    lock.locked {
      guard taken < loader.batchesPerEpoch else { return .success(nil) }
      while finished[taken] == nil && failure == nil { lock.wait() }
      if let batch = finished.removeValue(forKey: taken) {
        taken += 1
        lock.wakeAll()
        return .success(batch)
      }
      return failure.map { .failure($0) } ?? .success(nil)
    }
  }

  /// The body of a thread.
  func run() {
    while let (builder, place) = takeRow() {
      do throws(CLIPError) {
        try builder.fill(place)
        if lock.locked({ builder.finishRow() }) {
          let batch = try builder.complete()
          lock.locked {
            batches[builder.number] = nil
            finished[builder.number] = batch
            lock.wakeAll()
          }
        }
      } catch {
        lock.locked {
          failure = failure ?? error
          isStopped = true
          lock.wakeAll()
        }
      }
    }
  }

  /// Waits for a row to work on; `nil` when there is none any more.
  private func takeRow() -> (BatchBuilder, Int)? {
    lock.locked {
      while !isStopped {
        guard batch < loader.batchesPerEpoch else { return nil }
        guard batch < taken + loader.options.queueLength else {
          lock.wait()
          continue
        }
        if place == 0 {
          do throws(CLIPError) {
            let size = loader.options.batchSize
            let rows = Array(order[batch * size..<(batch + 1) * size])
            let part = loader.options.shard.part(of: size)
            batches[batch] = try BatchBuilder(
              loader, epoch: epoch, number: batch, rows: Array(rows[part]), batchRows: rows)
          } catch {
            failure = failure ?? error
            isStopped = true
            lock.wakeAll()
            return nil
          }
        }
        guard let builder = batches[batch] else { return nil }
        defer {
          place += 1
          if place == loader.options.shard.part(of: loader.options.batchSize).count {
            place = 0
            batch += 1
          }
        }
        return (builder, place)
      }
      return nil
    }
  }
}

/// A mutex with a condition, which the standard library does not have.
private final class Lock {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func locked<Value>(_ body: () -> Value) -> Value {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }

  func wait() { pthread_cond_wait(condition, mutex) }
  func wakeAll() { pthread_cond_broadcast(condition) }
}
