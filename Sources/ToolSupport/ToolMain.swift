package import ArgumentParser
internal import CleanCLIPKit
internal import Glibc

extension ParsableCommand {
  /// Runs the command line as a process: every failure ends with a message on standard error and
  /// an exit code of `ExitStatus`, and nothing that should be on standard output is lost silently.
  package static func runAsTool() -> Never {
    StandardStreams.reserve()
    StandardStreams.ignoreSignalsOfWriting()
    do {
      try StandardStreams.checkOutput()
      var command = try parseAsRoot(try commandLineArguments())
      try AddressSpace.check()
      try command.run()
    } catch let error as CLIPError {
      fail(error)
    } catch {
      end(with: error)
    }
    finish(EXIT_SUCCESS)
  }

  private static func fail(_ error: CLIPError) -> Never {
    ToolMessage.print(error.message, tool: configuration.commandName ?? "tool")
    finish(ExitStatus.code(of: error))
  }

  /// Ends as the argument parser wants: with a help text, a wrong command line, an exit code.
  private static func end(with error: any Error) -> Never {
    let text = fullMessage(for: error)
    let code = exitCode(for: error)
    guard !text.isEmpty else { finish(code.rawValue) }
    if code.isSuccess {
      do throws(CLIPError) { try printResult(text) } catch { fail(error) }
    } else {
      printError(text)
    }
    finish(code.rawValue)
  }

  /// Ends the process without the libraries' finalisers: where the address space is limited, OpenBLAS's
  /// waits for threads that never get their buffers.
  private static func finish(_ status: Int32) -> Never {
    fflush(nil)
    _exit(status)
  }

  /// The arguments, which must be UTF-8: names that are not would all become the same characters,
  /// and their files would replace one another.
  private static func commandLineArguments() throws(CLIPError) -> [String] {
    var arguments: [String] = []
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let bytes = CommandLine.unsafeArgv[index] else { break }
      guard let argument = String(validatingCString: bytes) else {
        throw CLIPError(
          .invalidArgument,
          "command line: argument \(index) is not UTF-8; expected UTF-8, got "
            + "'\(String(cString: bytes))'; rename the file")
      }
      if isNegativeNumber(argument), let option = arguments.last, option.hasPrefix("--"),
        !option.contains("=")
      {
        arguments[arguments.count - 1] = option + "=" + argument
      } else {
        arguments.append(argument)
      }
    }
    return arguments
  }

  /// Whether an argument is a number below zero, which the parser takes for an option: it would report
  /// that the value is missing.
  private static func isNegativeNumber(_ argument: String) -> Bool {
    argument.hasPrefix("-") && Double(argument) != nil
      && argument.dropFirst().first.map { $0.isNumber || $0 == "." } == true
  }
}
