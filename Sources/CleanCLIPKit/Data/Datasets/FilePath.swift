internal import Glibc

/// A path or a name as the system has it: bytes, which need not be text.
struct FilePath: Hashable, Sendable {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }
  init(_ text: String) { bytes = Array(text.utf8) }

  /// The path as text; bytes that are no UTF-8 as `\xNN`.
  var text: String { RawText.text(bytes) }

  /// What follows the last slash.
  var name: ArraySlice<UInt8> {
    bytes[(bytes.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0)...]
  }

  /// The path of a name below this folder.
  func appending(_ name: some Sequence<UInt8>) -> FilePath {
    FilePath(bytes + (bytes.last == UInt8(ascii: "/") ? [] : [UInt8(ascii: "/")]) + name)
  }

  /// The path with its NUL, for system calls.
  var cString: [CChar] { bytes.map { CChar(bitPattern: $0) } + [0] }

  /// Reads a whole file, or its first bytes.
  ///
  /// - Parameters:
  ///   - limit: bytes that the file may have.
  ///   - prefix: bytes that are read at most.
  /// - Throws: `notFound`, `io`; `format` for anything but a regular file of at most `limit` bytes.
  func read(limit: Int, prefix: Int = .max) throws(CLIPError) -> [UInt8] {
    guard !bytes.isEmpty, !bytes.contains(0) else {
      throw CLIPError(.format, "'\(text)': no path; expected a name without NUL, got another")
    }
    // O_NONBLOCK: opening a named pipe must not wait for a writer.
    let descriptor = open(cString, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw CLIPError.system(text, "open the file") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw CLIPError.system(text, "read its size") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw CLIPError(
        .format, "'\(text)': is not a file; expected a regular file, got another kind")
    }
    let count = Int(status.st_size)
    guard count <= limit else {
      throw CLIPError(
        .format, "'\(text)': file is too large; expected at most \(limit) bytes, got \(count)")
    }
    let wanted = min(count, prefix)
    var failure: CLIPError?
    let content = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
      while filled < wanted {
        let got = Glibc.read(descriptor, buffer.baseAddress.map { $0 + filled }, wanted - filled)
        if got < 0, errno == EINTR { continue }
        if got < 0 { failure = CLIPError.system(text, "read the file") }
        guard got > 0 else { return }
        filled += got
      }
    }
    if let failure { throw failure }
    return content
  }
}

/// Bytes of foreign files as text.
package enum RawText {
  /// Returns the text of a C string; bytes that are no UTF-8 become `\xNN`.
  package static func text(cString: UnsafePointer<CChar>) -> String {
    text(UnsafeRawBufferPointer(start: cString, count: strlen(cString)))
  }

  /// Returns the text; bytes that are no UTF-8 become `\xNN`.
  static func text(_ bytes: some Collection<UInt8>) -> String {
    let bytes = Array(bytes)
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    var text = ""
    var position = 0
    while position < bytes.count {
      let scalar = (1...4).lazy.compactMap { length in
        position + length <= bytes.count
          ? String(validating: bytes[position..<position + length], as: UTF8.self) : nil
      }.first
      if let scalar {
        text += scalar
        position += scalar.utf8.count
      } else {
        let digits = String(bytes[position], radix: 16, uppercase: true)
        text += "\\x" + (digits.count < 2 ? "0" : "") + digits
        position += 1
      }
    }
    return text
  }

  /// Returns a caption or a label of a file: UTF-8 without NUL; a byte-order mark is left out.
  ///
  /// - Throws: `format` for anything else.
  static func decode(_ bytes: some Collection<UInt8>, name: String) throws(CLIPError) -> String {
    var bytes = Array(bytes)[...]
    guard !bytes.starts(with: [0xFF, 0xFE]), !bytes.starts(with: [0xFE, 0xFF]) else {
      throw CLIPError(.format, "'\(name)': text is UTF-16; expected UTF-8; convert it")
    }
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
    guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
      throw CLIPError(
        .format,
        "'\(name)': is not UTF-8; expected UTF-8 text, got other bytes: "
          + "'\(RawText.text(bytes.prefix(40)))'")
    }
    return text
  }
}
