internal import Glibc

extension Tokenizer {
  /// Bytes that a vocabulary file may have when decompressed; CLIP's are 3 MB.
  private static let sizeLimit = 64 << 20

  /// Reads a vocabulary: OpenAI's `bpe_simple_vocab_16e6.txt`, plain or with gzip.
  ///
  /// - Throws: `notFound`, `io`, `format` or `unsupported`.
  package static func load(path: String) throws(CLIPError) -> Tokenizer {
    let bytes = try CompressedFile.read(path, limit: sizeLimit)
    return Tokenizer(try TokenizerDefinition.openAI(bytes, name: path))
  }
}
