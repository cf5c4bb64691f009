package import CleanCLIPKit
internal import Glibc

/// Standard input, output and error.
enum StandardStreams {
  /// Opens closed standard descriptors, so that no file of the tool gets their numbers: a progress
  /// line would end in it. The mode is the wrong one, so that using them still fails.
  static func reserve() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
    where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is this one.
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Makes writing beyond a closed pipe or the limit of file sizes an error instead of a death that
  /// would lose what a long run has computed.
  static func ignoreSignalsOfWriting() {
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
  }

  /// Refuses a closed standard output before the work.
  ///
  /// - Throws: `io`.
  static func checkOutput() throws(CLIPError) {
    let flags = fcntl(STDOUT_FILENO, F_GETFL)
    guard flags >= 0, flags & O_ACCMODE != O_RDONLY else {
      throw CLIPError(
        .io,
        "standard output: is closed; expected somewhere to write the result, got nothing; "
          + "use > /dev/null to do without")
    }
  }

  /// Writes all bytes; returns `errno`, or 0.
  static func write(_ text: String, to descriptor: Int32) -> Int32 {
    Array(text.utf8).withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let written = Glibc.write(
          descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if written < 0 {
          if errno == EINTR { continue }
          return errno
        }
        rest = rest.dropFirst(written)
      }
      return 0
    }
  }
}

/// Prints a result and a line break to standard output, at once.
///
/// - Throws: `io` when it is closed or full.
package func printResult(_ text: String) throws(CLIPError) {
  let number = StandardStreams.write(text + "\n", to: STDOUT_FILENO)
  guard number == 0 else {
    throw CLIPError(
      .io,
      "standard output: cannot write the result: "
        + String(cString: strerror(number)).lowercased() + "; redirect it to a file")
  }
}

/// Writes a text to standard error. Where that is closed or full, there is nowhere to say so.
package func writeError(_ text: String) {
  _ = StandardStreams.write(text, to: STDERR_FILENO)
}

/// Writes a line to standard error.
package func printError(_ line: String) { writeError(line + "\n") }
