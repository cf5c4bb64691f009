public import CCleanCLIP
internal import CleanCLIPKit
internal import HostCollectives

@c @implementation
public func cleanclip_communicator_init(
  _ communicator: UnsafeMutablePointer<cleanclip_communicator>?, _ struct_size: Int
) {
  initialize(communicator, size: struct_size, with: HostCollectives.defaults)
}

/// Returns the communicator of a member of options that may be NULL.
func hostCommunicator(
  _ pointer: UnsafePointer<cleanclip_communicator>?, _ arguments: Arguments
) throws(CLIPError) -> Communicator {
  guard let pointer else { return .single }
  func read() throws(CLIPError) -> cleanclip_communicator {
    try arguments.options(
      pointer, defaults: HostCollectives.defaults, "options->communicator")
  }
  return try Communicator(
    try HostCollectives(
      try read(), name: "\(arguments.function)",
      problem: { (try? read())?.problem.map { RawText.text(cString: $0) } }))
}
