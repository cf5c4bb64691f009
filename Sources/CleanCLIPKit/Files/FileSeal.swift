/// The checksum of a saved state: a fingerprint of all bytes of its file, with zeros in the place of the
/// checksum's own digits. It notices bytes that a disk or a copy changed; it keeps nobody out.
package enum FileSeal {
  /// The member of the metadata that holds it.
  static let key = "checksum"
  static let blank = String(repeating: "0", count: 16)

  /// Where the digits are in a file's first bytes: quotes in texts are escaped, so that no name and no
  /// value looks like the member.
  private static func place(in head: [UInt8]) -> Range<Int>? {
    let member = Array("\"\(key)\":\"".utf8)
    guard let found = head.indices.first(where: { head[$0...].starts(with: member) }) else {
      return nil
    }
    let start = found + member.count
    guard start + blank.utf8.count < head.count,
      head[start + blank.utf8.count] == UInt8(ascii: "\"")
    else { return nil }
    return start..<start + blank.utf8.count
  }

  /// Writes the digits into a file's first bytes.
  static func set(_ digits: String, in head: inout [UInt8]) {
    guard let place = place(in: head) else { return }
    head.replaceSubrange(place, with: digits.utf8)
  }

  /// Compares the checksum with the bytes of a file.
  ///
  /// - Throws: `format` for changed bytes or no checksum; `io`.
  static func check(_ file: SafeTensorsFile) throws(CLIPError) {
    var head = try file.file.read(0..<file.dataOffset)
    set(blank, in: &head)
    var fingerprint = Fingerprint()
    fingerprint.add(head)
    try file.file.forEachPiece(of: file.dataOffset..<file.file.count) { (piece) throws(CLIPError) in
      fingerprint.add(piece)
    }
    let saved = file.metadata[key]
    guard saved == fingerprint.text else {
      throw CLIPError(
        .format,
        "'\(file.path)': is damaged; expected the checksum \(fingerprint.text), got "
          + "\(saved.map { "'\($0)'" } ?? "none"); start without resume")
    }
  }

  /// Returns a state with a checksum that is right whatever was changed: what tests and fuzzing need to
  /// come past it.
  package static func sealed(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    set(blank, in: &bytes)
    var fingerprint = Fingerprint()
    fingerprint.add(bytes)
    set(fingerprint.text, in: &bytes)
    return bytes
  }
}
