internal import ArgumentParser
package import CleanCLIPKit
internal import Glibc

/// Exit codes of the tools: those of sysexits.h where one fits.
package enum ExitStatus {
  /// The work failed: a training diverged, features differ.
  package static let failure: Int32 = 1
  /// A check with --gate did not end with a clean verdict.
  package static let gate: Int32 = 3
  /// Ended by Ctrl-C: 128 + SIGINT, as shells have it.
  package static let cancelled: Int32 = 130

  /// The exit code of a failure, as the help lists them.
  package static func code(of error: CLIPError) -> Int32 {
    switch error.code {
    // Other options, data or folder than those of the work that was to be resumed.
    case .state where error.savedState == .foreign: EX_USAGE
    case .invalidArgument: EX_USAGE
    case .shape, .format, .unsupported: EX_DATAERR
    case .notFound: EX_NOINPUT
    case .internal: EX_SOFTWARE
    case .outOfMemory: EX_OSERR
    case .io: EX_IOERR
    case .state: failure
    case .cancelled: cancelled
    }
  }

  /// What the help of every tool says about them.
  package static let help = """
    Exit codes: 0 success, 1 failure, 3 the verdict is not clean (check --gate) or not_removed (sanitize \
    --method unlearn), 4 it is weakened, 64 wrong command line, 65 a file is broken or not supported, 66 an \
    input is missing, 70 internal error, 71 out of memory, 74 reading or writing failed, 130 cancelled with \
    Ctrl-C.
    """
}
