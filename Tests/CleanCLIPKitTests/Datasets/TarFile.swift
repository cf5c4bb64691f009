import CleanCLIPKit

/// Builds tar files of the kind `ustar`, also wrong ones.
struct TarFile {
  private(set) var bytes: [UInt8] = []

  /// Appends an entry; a size other than the content's makes the header lie.
  mutating func add(_ name: String, _ content: [UInt8], size: Int? = nil, kind: Character = "0") {
    add(name: Array(name.utf8), content, size: size, kind: kind)
  }

  /// Appends an entry whose name need not be text.
  mutating func add(
    name: [UInt8], _ content: [UInt8], size: Int? = nil, kind: Character = "0"
  ) {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, at offset: Int) {
      for (i, byte) in text.utf8.enumerated() { header[offset + i] = byte }
    }
    func octal(_ value: Int, _ digits: Int) -> String {
      let text = String(value, radix: 8)
      return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
    for (i, byte) in name.enumerated() { header[i] = byte }
    put("0000644", at: 100)
    put("0000000", at: 108)
    put("0000000", at: 116)
    put(octal(size ?? content.count, 11), at: 124)
    put("00000000000", at: 136)
    put("        ", at: 148)
    put(String(kind), at: 156)
    put("ustar\u{0}00", at: 257)
    put(octal(header.reduce(0) { $0 + Int($1) }, 6) + "\u{0} ", at: 148)
    bytes += header + content
    bytes += [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
  }

  mutating func add(_ name: String, _ text: String) { add(name, Array(text.utf8)) }

  mutating func finish() { bytes += [UInt8](repeating: 0, count: 1024) }
}

/// A small image file whose red channel tells which it is.
func imageFile(_ number: Int, width: Int = 20, height: Int = 16) throws -> [UInt8] {
  try ImageEncoder.png(
    RGBImage(width: width, height: height, red: UInt8(number & 0xFF), green: 100, blue: 50))
}
