public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_communicator_init(
  _ communicator: UnsafeMutablePointer<cleanclip_communicator>?, _ struct_size: Int
) {
  initialize(communicator, size: struct_size, with: HostCollectives.defaults)
}

/// The collectives of a host, behind its callbacks.
struct HostCollectives: Collectives {
  let rank: Int
  let size: Int
  private let arguments: Arguments
  /// The host's struct, where its callbacks leave what went wrong.
  private let hostStruct: UnsafePointer<cleanclip_communicator>
  private let allReduceCallback: cleanclip_all_reduce_callback
  private let allGatherCallback: cleanclip_all_gather_callback
  private let broadcastCallback: cleanclip_broadcast_callback
  private let userData: UnsafeMutableRawPointer?

  fileprivate static var defaults: cleanclip_communicator {
    var communicator = cleanclip_communicator()
    communicator.size = 1
    return communicator
  }

  /// Returns the communicator of a member that may be NULL.
  static func communicator(
    _ pointer: UnsafePointer<cleanclip_communicator>?, _ arguments: Arguments
  ) throws(CLIPError) -> Communicator {
    guard let pointer else { return .single }
    return try Communicator(try HostCollectives(pointer, arguments))
  }

  private init(
    _ pointer: UnsafePointer<cleanclip_communicator>, _ arguments: Arguments
  ) throws(CLIPError) {
    let given = try arguments.options(
      pointer, defaults: Self.defaults, "options->communicator")
    rank = Int(given.rank)
    size = Int(given.size)
    allReduceCallback = try arguments.required(
      given.all_reduce, "options->communicator->all_reduce")
    allGatherCallback = try arguments.required(
      given.all_gather, "options->communicator->all_gather")
    broadcastCallback = try arguments.required(given.broadcast, "options->communicator->broadcast")
    userData = given.user_data
    hostStruct = pointer
    self.arguments = arguments
  }

  func allReduceSum(_ values: UnsafeMutableBufferPointer<Float>) throws(CLIPError) {
    try check(allReduceCallback(values.baseAddress, Int64(values.count), userData), "all_reduce")
  }

  func allGather(
    _ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer
  ) throws(CLIPError) {
    try check(
      allGatherCallback(sent.baseAddress, Int64(sent.count), received.baseAddress, userData),
      "all_gather")
  }

  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws(CLIPError) {
    try check(
      broadcastCallback(bytes.baseAddress, Int64(bytes.count), Int32(root), userData), "broadcast")
  }

  private func check(_ result: Int32, _ name: String) throws(CLIPError) {
    guard result != 0 else { return }
    let given = try arguments.options(hostStruct, defaults: Self.defaults, "options->communicator")
    let problem = given.problem.map { RawText.text(cString: $0) }
    throw arguments.invalid(
      "\(name) failed on rank \(rank); expected an answer of all \(size) ranks, got "
        + (problem ?? "result \(result), and no problem that says why")
        + "; the last saved state is whole", code: .io)
  }
}
