/// What the host's processes do together: MPI, gloo, or whatever it runs.
///
/// Every rank makes the same calls in the same order, and each call returns when the rank's part of it
/// is done. `Communicator` checks the order before each call.
package protocol Collectives {
  /// From 0, below `size`.
  var rank: Int { get }
  /// The number of ranks, at least 1.
  var size: Int { get }

  /// Replaces values by their sums over the ranks, which are the same bits on every rank.
  ///
  /// - Throws: `io` when a rank does not answer, naming it where the host knows it.
  func allReduceSum(_ values: UnsafeMutableBufferPointer<Float>) throws(CLIPError)

  /// Hands the bytes of every rank to every rank.
  ///
  /// - Parameter received: as many bytes for each rank, in the order of ranks.
  func allGather(
    _ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer
  ) throws(CLIPError)

  /// Replaces bytes by those of rank `root`.
  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws(CLIPError)
}

/// One process by itself.
struct SingleProcess: Collectives {
  let rank = 0
  let size = 1

  func allReduceSum(_ values: UnsafeMutableBufferPointer<Float>) throws(CLIPError) {}

  func allGather(
    _ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer
  ) throws(CLIPError) {
    received.copyMemory(from: sent)
  }

  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws(CLIPError) {}
}
