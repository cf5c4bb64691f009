import CleanCLIPKit

/// Captions of `Tests/Fixtures/text`, with hashes of the ids that reference tokenizers give.
struct ReferenceCaption {
  let text: String
  let openAI: UInt32
  let huggingFace: UInt32

  /// Reads all captions; `python3 Tests/Fixtures/text.py` writes them.
  static func all() throws -> [ReferenceCaption] {
    try (1...4).flatMap { part in
      try read("\(packageFolder)/Tests/Fixtures/text/captions-\(part).bin.gz")
    }
  }

  static let packageFolder =
    "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")

  /// OpenAI's vocabulary, which `make setup` installs.
  static let vocabulary = packageFolder + "/.data/bpe_simple_vocab_16e6.txt.gz"

  private static func read(_ path: String) throws -> [ReferenceCaption] {
    let bytes = try CompressedFile.read(path, limit: 1 << 24)
    guard bytes.starts(with: Array("CLIPTEXT".utf8) + [1, 0, 0, 0]) else {
      throw CLIPError(.format, "'\(path)': expected version 1; run Tests/Fixtures/text.py")
    }
    func number(_ at: Int, _ count: Int) -> UInt32 {
      var value: UInt32 = 0
      for byte in bytes[at..<(at + count)].reversed() { value = value << 8 | UInt32(byte) }
      return value
    }
    var captions: [ReferenceCaption] = []
    var i = 12
    while i < bytes.count {
      let end = i + 2 + Int(number(i, 2))
      captions.append(
        ReferenceCaption(
          text: String(decoding: bytes[(i + 2)..<end], as: UTF8.self), openAI: number(end, 4),
          huggingFace: number(end + 4, 4)))
      i = end + 8
    }
    return captions
  }

  /// FNV-1a over ids as little-endian integers.
  static func hash(_ ids: [Int32]) -> UInt32 {
    var hash: UInt32 = 0x811C_9DC5
    for id in ids {
      withUnsafeBytes(of: id.littleEndian) { bytes in
        for byte in bytes { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
      }
    }
    return hash
  }
}
