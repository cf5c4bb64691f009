/// The ranks that train one model together, one process each.
///
/// Before each collective the ranks exchange a header of 16 bytes: what they are about to do, with how
/// many values, and whether one of them has failed. So an error on one rank, wherever it happens, ends
/// every rank with its text, and ranks that are out of step are told apart instead of waiting for
/// each other or mixing their bytes. In a single process all of it does nothing.
package final class Communicator {
  /// What a collective is for; messages say it.
  package enum Purpose: UInt32 {
    case end, agreement, contents, memoryPlan, features, statistics, gradients, losses, weights
    case state, cancelling, searches, pixels
  }

  /// What the ranks exchange before a collective.
  private struct Header: BitwiseCopyable {
    var purpose: UInt32
    /// 0, or the code of the error that ends this rank.
    var failure: UInt16 = 0
    /// What the error says of a saved state; 0 for nothing.
    var savedState: UInt16 = 0
    var count: UInt64
  }

  package var rank: Int { host.rank }
  package var size: Int { host.size }
  package var isSingle: Bool { size == 1 }
  private let host: any Collectives
  /// Whether an error has reached the other ranks, or came from them.
  private var hasEnded = false
  /// Makes the collectives while another thread computes.
  private var relay: CollectiveRelay?

  /// - Throws: `invalidArgument` for a rank outside of the ranks.
  package init(_ host: any Collectives) throws(CLIPError) {
    guard (1...Self.mostRanks).contains(host.size), (0..<host.size).contains(host.rank) else {
      throw CLIPError(
        .invalidArgument,
        "communicator: rank and size do not fit; expected a size of 1 to \(Self.mostRanks) and a rank "
          + "from 0 below it, got rank \(host.rank) of \(host.size)")
    }
    self.host = host
  }

  private init() { host = SingleProcess() }

  private static let mostRanks = 65_536

  /// One process by itself.
  package static var single: Communicator { Communicator() }

  /// Runs the work of all ranks, and returns when every rank is done.
  ///
  /// - Throws: what the body throws, after the other ranks have been told; else the error of the first
  ///   rank that failed, with its number.
  package func together<Result>(
    _ body: () throws(CLIPError) -> Result
  ) throws(CLIPError) -> Result {
    guard !isSingle else { return try body() }
    let result: Result
    do throws(CLIPError) {
      result = try body()
    } catch {
      // The host's error, if it has one now, says less than this one.
      if !hasEnded { try? exchange(.end, count: 0, failure: error) }
      throw error
    }
    try exchange(.end, count: 0)
    return result
  }

  /// Runs work on a thread of its own, whose collectives are made on the calling one.
  func relaying<Result>(
    _ relay: CollectiveRelay, _ body: () throws(CLIPError) -> Result
  ) throws(CLIPError) -> Result {
    guard !isSingle else { return try body() }
    self.relay = relay
    defer { self.relay = nil }
    return try relay.run(body)
  }

  /// Replaces the values of a single-precision tensor by their sums over the ranks.
  func sum(_ tensor: Tensor, for purpose: Purpose) throws(CLIPError) {
    guard !isSingle else { return }
    try exchange(purpose, count: tensor.count)
    try call { () throws(CLIPError) in
      try host.allReduceSum(UnsafeMutableBufferPointer(start: tensor.f32, count: tensor.count))
    }
  }

  /// Hands a tensor of every rank, of the same shape and type, to every rank.
  ///
  /// - Returns: `[size, …]`, in the order of ranks.
  func gather(_ tensor: Tensor, for purpose: Purpose) throws(CLIPError) -> Tensor {
    let all = try Tensor(Shape([size] + tensor.shape.dimensions), tensor.dtype)
    let sent = UnsafeRawBufferPointer(start: tensor.bytes, count: tensor.byteCount)
    let received = UnsafeMutableRawBufferPointer(start: all.bytes, count: all.byteCount)
    guard !isSingle else {
      received.copyMemory(from: sent)
      return all
    }
    try exchange(purpose, count: sent.count)
    try call { () throws(CLIPError) in try host.allGather(sent, into: received) }
    return all
  }

  /// Hands a value of every rank to every rank.
  func gather<Value: BitwiseCopyable>(
    _ value: Value, for purpose: Purpose
  ) throws(CLIPError) -> [Value] {
    try gather([value], for: purpose)
  }

  /// Hands values of every rank, as many on each, to every rank.
  ///
  /// - Returns: the values of rank 0, then of rank 1, and so on.
  func gather<Value: BitwiseCopyable>(
    _ values: [Value], for purpose: Purpose
  ) throws(CLIPError) -> [Value] {
    guard !isSingle, !values.isEmpty else { return values }
    try exchange(purpose, count: values.count * MemoryLayout<Value>.stride)
    return try allGather(values)
  }

  /// Hands a text of every rank to every rank.
  func gather(_ text: String, for purpose: Purpose) throws(CLIPError) -> [String] {
    try gatherAny(Array(text.utf8), for: purpose).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Hands bytes of every rank, of any number, to every rank.
  func gatherAny(_ bytes: [UInt8], for purpose: Purpose) throws(CLIPError) -> [[UInt8]] {
    let counts = try gather(bytes.count, for: purpose)
    let width = counts.max() ?? 0
    guard width > 0 else { return counts.map { _ in [] } }
    let padded = bytes + [UInt8](repeating: 0, count: width - bytes.count)
    let all = try gather(padded, for: purpose)
    return counts.enumerated().map { rank, count in
      Array(all[rank * width..<rank * width + count])
    }
  }

  /// Replaces a tensor, of the same shape and type everywhere, by that of rank 0.
  func broadcast(_ tensor: Tensor, for purpose: Purpose) throws(CLIPError) {
    guard !isSingle else { return }
    try exchange(purpose, count: tensor.byteCount)
    try call { () throws(CLIPError) in
      try host.broadcast(
        UnsafeMutableRawBufferPointer(start: tensor.bytes, count: tensor.byteCount), from: 0)
    }
  }

  /// Hands values of rank 0, as many as it has, to every rank.
  func broadcast<Value: BitwiseCopyable>(
    _ values: [Value], for purpose: Purpose
  ) throws(CLIPError) -> [Value] {
    guard !isSingle else { return values }
    let stride = MemoryLayout<Value>.stride
    let count = try gather(values.count, for: purpose)[0]
    guard count > 0 else { return [] }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count * stride, alignment: 16)
    defer { bytes.deallocate() }
    if rank == 0 { values.withUnsafeBytes { bytes.copyMemory(from: $0) } }
    try exchange(purpose, count: bytes.count)
    try call { () throws(CLIPError) in try host.broadcast(bytes, from: 0) }
    return (0..<count).map { bytes.loadUnaligned(fromByteOffset: $0 * stride, as: Value.self) }
  }

  // MARK: Headers

  /// Bytes of an error's text.
  private static let textLimit = 1024

  /// Tells the other ranks what comes next, or that this one has failed.
  ///
  /// - Throws: the error of the first other rank that has failed; `state` when the ranks are about
  ///   to do different things; what the host throws.
  private func exchange(
    _ purpose: Purpose, count: Int, failure: CLIPError? = nil
  ) throws(CLIPError) {
    var header = Header(purpose: purpose.rawValue, count: UInt64(count))
    if let failure {
      header.failure = UInt16(failure.code.rawValue)
      header.savedState = failure.savedState?.rawValue ?? 0
    }
    let headers = try allGather([header])
    guard headers.allSatisfy({ $0.failure == 0 }) else {
      hasEnded = true
      let texts = try allGather(Self.bytes(of: failure?.message ?? ""))
      guard failure == nil, let first = headers.firstIndex(where: { $0.failure != 0 }) else {
        return
      }
      let text = texts[first * Self.textLimit..<(first + 1) * Self.textLimit]
      throw CLIPError(
        CLIPError.Code(rawValue: UInt32(headers[first].failure)) ?? .internal,
        "rank \(first) of \(size): "
          + String(decoding: text.prefix { $0 != 0 }, as: UTF8.self),
        savedState: CLIPError.SavedState(rawValue: headers[first].savedState))
    }
    if let other = headers.firstIndex(where: {
      $0.purpose != headers[0].purpose || $0.count != headers[0].count
    }) {
      hasEnded = true
      throw CLIPError(
        .state,
        "communicator: the ranks are out of step; expected \(Self.text(headers[0])) as on rank 0, got "
          + "\(Self.text(headers[other])) on rank \(other); call the library alike on every rank")
    }
  }

  private func allGather<Value: BitwiseCopyable>(_ values: [Value]) throws(CLIPError) -> [Value] {
    var all: [Value] = []
    for _ in 0..<size { all += values }
    var failure: CLIPError?
    values.withUnsafeBytes { sent in
      all.withUnsafeMutableBytes { received in
        do throws(CLIPError) {
          try call { () throws(CLIPError) in try host.allGather(sent, into: received) }
        } catch { failure = error }
      }
    }
    if let failure { throw failure }
    return all
  }

  /// Calls the host, which is not called again once it has failed.
  private func call(_ body: () throws(CLIPError) -> Void) throws(CLIPError) {
    do throws(CLIPError) {
      if let relay { try relay.perform(body) } else { try body() }
    } catch {
      hasEnded = true
      throw error
    }
  }

  /// A text as bytes of the same number for all.
  private static func bytes(of text: String) -> [UInt8] {
    var bytes = Array(text.utf8.prefix(textLimit))
    bytes += [UInt8](repeating: 0, count: textLimit - bytes.count)
    return bytes
  }

  private static func text(_ header: Header) -> String {
    let purpose = Purpose(rawValue: header.purpose).map { "\($0)" } ?? "unknown work"
    return "\(purpose) of size \(header.count)"
  }
}
