/// What a tokenizer file defines.
struct TokenizerDefinition: Sendable {
  /// How captions are cleaned and divided before byte pairs are merged.
  enum Cleaning: Sendable {
    /// OpenAI's and OpenCLIP's: ftfy without mojibake repair, HTML references twice, lower case.
    case openAI
    /// The normalisers of a Hugging Face tokenizer; `\s+` needs none, for no piece holds a space.
    case huggingFace(composes: Bool, lowers: Bool)
  }

  /// A piece of text that is one token wherever it stands.
  struct AddedToken: Sendable {
    let bytes: [UInt8]
    let id: Int32
    /// Whether it is looked for after cleaning, not before.
    let isNormalized: Bool
  }

  let encoder: BytePairEncoder
  let cleaning: Cleaning
  let addedTokens: [AddedToken]
  let startOfText: Int32
  let endOfText: Int32
  let vocabularySize: Int

  /// Whether a byte stands for itself, as a Latin-1 character, in vocabulary files.
  static func isPrintable(_ byte: Int) -> Bool {
    switch byte {
    case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: true
    default: false
    }
  }

  /// The characters that stand for the bytes 0 … 255 in vocabulary files, in UTF-8: printable bytes
  /// for themselves, the others from U+0100 on (GPT-2's mapping).
  static let byteCharacters: [[UInt8]] = {
    var next: UInt32 = 0x100
    return (0..<256).map { byte in
      var code = UInt32(byte)
      if !isPrintable(byte) {
        code = next
        next += 1
      }
      return Unicode.Scalar(code).map { Array(String($0).utf8) } ?? []
    }
  }()

  /// The mark of a symbol that ends a word.
  static let wordEnd = Array("</w>".utf8)
}
