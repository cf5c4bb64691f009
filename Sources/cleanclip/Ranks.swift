internal import ArgumentParser
internal import CCleanCLIP
internal import CleanCLIPKit
internal import Glibc
internal import HostCollectives

/// How the ranks of a command wait for one another.
struct RankOptions: ParsableArguments {
  @Option(
    name: .long,
    help: """
      Under mpirun: seconds that a process waits for the others, a number above 0; then the command ends, \
      and names those that do not come; none by default: no limit.
      """)
  var rankTimeout: Double?

  func validate() throws {
    guard let rankTimeout, !(rankTimeout > 0 && rankTimeout.isFinite) else { return }
    throw ValidationError(
      "--rank-timeout is out of range; expected a number above 0, got \(rankTimeout)")
  }
}

/// The ranks that `mpirun` starts a command with.
///
/// The tool itself knows no MPI. A plug-in beside it does, which is there where it was built with a compiler for
/// MPI, and is loaded where `mpirun` started the process.
enum Ranks {
  /// Runs a command over the ranks, each inside `Communicator.together`, or alone.
  ///
  /// - Throws: `invalidArgument` for a time-out without `mpirun`; `unsupported` when `mpirun` started several
  ///   processes and there is no plug-in: each would do the whole work and replace what the others write.
  static func run(_ options: RankOptions, _ body: (Communicator) throws -> Void) throws {
    guard started != nil || options.rankTimeout == nil else {
      throw CLIPError(
        .invalidArgument,
        "--rank-timeout has no effect in a process by itself; expected several by mpirun, got one; leave it out"
      )
    }
    guard let started, started > 1 else { return try body(.single) }
    let plugin = try Plugin(processes: started)
    // A rank that fails does not end MPI in order, so that mpirun ends the others.
    try body(try plugin.communicator(timeout: options.rankTimeout ?? 0))
    plugin.end()
  }

  /// Checks that the command has no others beside it.
  ///
  /// - Throws: `invalidArgument` when `mpirun` started several processes, each of which would do the whole work and
  ///   replace what the others write.
  static func requireOne() throws(CLIPError) {
    guard let started, started > 1 else { return }
    throw CLIPError(
      .invalidArgument,
      "mpirun started \(started) processes; expected one, because this command does not divide its work; "
        + "start it without mpirun")
  }

  /// The number of processes that `mpirun` started; `nil` without it.
  private static var started: Int? {
    getenv("OMPI_COMM_WORLD_SIZE").flatMap { Int(String(cString: $0)) }
  }
}

/// The shared object that speaks MPI: `bindings/mpi/plugin.c`.
private struct Plugin {
  private typealias Start = @convention(c) (Double) -> UnsafePointer<cleanclip_communicator>?
  private typealias End = @convention(c) () -> Void

  private let start: Start
  private let stop: End

  init(processes: Int) throws(CLIPError) {
    let path = try Self.path()
    func refusal(_ got: String) -> CLIPError {
      CLIPError(
        .unsupported,
        "mpirun started \(processes) processes; expected the plug-in for MPI '\(path)', got \(got); "
          + "install libopenmpi-dev and run 'make build', or start one process")
    }
    guard access(path, R_OK) == 0 else { throw refusal("no such file") }
    // Components that MPI loads look for its symbols among those of the process.
    guard let handle = dlopen(path, RTLD_NOW | RTLD_GLOBAL) else {
      throw refusal(dlerror().map { String(cString: $0) } ?? "a file that cannot be loaded")
    }
    guard let start = dlsym(handle, "cleanclip_mpi_start"),
      let stop = dlsym(handle, "cleanclip_mpi_end")
    else { throw refusal("a file without its functions") }
    self.start = unsafeBitCast(start, to: Start.self)
    self.stop = unsafeBitCast(stop, to: End.self)
  }

  /// Begins MPI and returns the ranks.
  ///
  /// - Parameter timeout: seconds that a rank waits for the others; 0 for ever.
  func communicator(timeout: Double) throws(CLIPError) -> Communicator {
    guard let pointer = start(timeout),
      pointer.pointee.struct_size == MemoryLayout<cleanclip_communicator>.size
    else {
      throw CLIPError(
        .io, "mpirun: MPI cannot begin; expected the ranks of mpirun, got none; see its messages")
    }
    return try Communicator(
      try HostCollectives(pointer.pointee, name: "mpirun") {
        pointer.pointee.problem.map { RawText.text(cString: $0) }
      })
  }

  func end() { stop() }

  /// `PREFIX/libexec/cleanclip/mpi.so` of `PREFIX/bin/cleanclip`.
  private static func path() throws(CLIPError) -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let length = readlink("/proc/self/exe", &buffer, Int(PATH_MAX))
    guard length > 0 else { throw CLIPError.system("/proc/self/exe", "read the link") }
    let program = String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let folders = program.split(separator: "/").dropLast(2)
    return folders.map { "/" + $0 }.joined() + "/libexec/cleanclip/mpi.so"
  }
}
