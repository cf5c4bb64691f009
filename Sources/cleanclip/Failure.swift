internal import ArgumentParser
internal import CleanCLIPKit
internal import Glibc

/// Runs the body of a command; reports what it throws and ends the process with its exit code.
func run(_ body: () throws(CLIPError) -> Void) throws {
  do throws(CLIPError) {
    try body()
  } catch {
    printError("cleanclip: \(error.message)")
    throw ExitCode(exitCode(of: error.code))
  }
}

/// The exit code of a failure, as the tool's help lists them.
func exitCode(of code: CLIPError.Code) -> Int32 {
  switch code {
  case .invalidArgument: EX_USAGE
  case .shape, .format, .unsupported: EX_DATAERR
  case .notFound: EX_NOINPUT
  case .io: EX_IOERR
  case .state: 1
  case .outOfMemory: EX_OSERR
  case .cancelled: 130
  case .internal: EX_SOFTWARE
  }
}

/// Prints a line to standard error.
func printError(_ line: String) { writeError(line + "\n") }

/// Writes a text to standard error, unbuffered.
func writeError(_ text: String) {
  // Whoever closed standard error does not want to hear of it.
  _ = Array(text.utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
