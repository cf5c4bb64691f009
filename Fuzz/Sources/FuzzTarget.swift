internal import CCleanCLIP
internal import Glibc

/// One parser under test.
struct FuzzTarget: Sendable {
  let name: String
  /// Parses bytes and uses what came out of them; ends the process on a broken promise.
  let run: @Sendable (UnsafeRawBufferPointer) -> Void

  static let all = [
    onnx, safetensors, configuration, vocabulary, tokenizer, caption, tar, table, image, array,
    state, bank, check, trigger,
  ]

  /// The target that the program's name ends with.
  static let chosen: FuzzTarget = {
    let program = CommandLine.arguments[0].split(separator: "/").last ?? ""
    guard let target = all.first(where: { program == "fuzz-" + $0.name }) else {
      let names = all.map { "fuzz-" + $0.name }.joined(separator: ", ")
      stop("program is called '\(program)'; expected one of \(names)")
    }
    return target
  }()
}

/// Ends the process in a way that the fuzzer reports as a crash.
func stop(_ message: String) -> Never {
  let line = Array("fuzz: \(message)\n".utf8)
  _ = write(STDERR_FILENO, line, line.count)
  abort()
}

/// Whether a call succeeded. A failure must be one of those that a file can cause, with a reason.
func succeeded(_ status: cleanclip_status) -> Bool {
  if status == CLEANCLIP_OK { return true }
  let reason = String(cString: cleanclip_last_error())
  if status == CLEANCLIP_INTERNAL { stop("internal error: \(reason)") }
  if reason.isEmpty { stop("failure \(status) without a reason") }
  return false
}

/// Files in memory, in the folder that `CLEANCLIP_FUZZ_FOLDER` names.
enum Scratch {
  static let folder: String = {
    guard let name = getenv("CLEANCLIP_FUZZ_FOLDER") else {
      stop("CLEANCLIP_FUZZ_FOLDER is not set; expected a folder, best one in memory")
    }
    return String(cString: name)
  }()

  static func path(_ name: String) -> String { folder + "/" + name }

  /// Writes a file and returns its path. Nothing may have the old one mapped.
  static func write(_ bytes: some Collection<UInt8>, to name: String) -> String {
    let path = path(name)
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { stop("cannot write '\(path)'") }
    defer { close(descriptor) }
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      guard written > 0 else { stop("cannot write '\(path)'") }
      rest = rest.dropFirst(written)
    }
    return path
  }
}
