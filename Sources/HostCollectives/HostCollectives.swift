package import CCleanCLIP
package import CleanCLIPKit

/// The collectives of a host, behind the callbacks of its `cleanclip_communicator`.
package struct HostCollectives: Collectives {
  package let rank: Int
  package let size: Int
  private let name: String
  private let allReduceCallback: cleanclip_all_reduce_callback
  private let allGatherCallback: cleanclip_all_gather_callback
  private let broadcastCallback: cleanclip_broadcast_callback
  private let userData: UnsafeMutableRawPointer?
  private let problem: () -> String?

  /// A communicator of one rank without callbacks.
  package static var defaults: cleanclip_communicator {
    var communicator = cleanclip_communicator()
    communicator.size = 1
    return communicator
  }

  /// - Parameters:
  ///   - name: what messages begin with: the function or the program that the ranks are for.
  ///   - problem: says what went wrong in a callback that failed, where the host says it.
  /// - Throws: `invalidArgument` when a callback is missing.
  package init(
    _ given: cleanclip_communicator, name: String, problem: @escaping () -> String?
  ) throws(CLIPError) {
    rank = Int(given.rank)
    size = Int(given.size)
    func required<Callback>(
      _ callback: Callback?, _ member: String
    ) throws(CLIPError) -> Callback {
      guard let callback else {
        throw CLIPError(
          .invalidArgument,
          "\(name): options->communicator->\(member) is NULL; expected a valid pointer, got NULL")
      }
      return callback
    }
    allReduceCallback = try required(given.all_reduce, "all_reduce")
    allGatherCallback = try required(given.all_gather, "all_gather")
    broadcastCallback = try required(given.broadcast, "broadcast")
    userData = given.user_data
    self.name = name
    self.problem = problem
  }

  package func allReduceSum(_ values: UnsafeMutableBufferPointer<Float>) throws(CLIPError) {
    try check(allReduceCallback(values.baseAddress, Int64(values.count), userData), "all_reduce")
  }

  package func allGather(
    _ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer
  ) throws(CLIPError) {
    try check(
      allGatherCallback(sent.baseAddress, Int64(sent.count), received.baseAddress, userData),
      "all_gather")
  }

  package func broadcast(
    _ bytes: UnsafeMutableRawBufferPointer, from root: Int
  ) throws(CLIPError) {
    try check(
      broadcastCallback(bytes.baseAddress, Int64(bytes.count), Int32(root), userData), "broadcast")
  }

  private func check(_ result: Int32, _ collective: String) throws(CLIPError) {
    guard result != 0 else { return }
    throw CLIPError(
      .io,
      "\(name): \(collective) failed on rank \(rank); expected an answer of all \(size) ranks, got "
        + (problem() ?? "result \(result), and no problem that says why")
        + "; where a state is kept, the last one is whole")
  }
}
