/// What is done to a caption before it is divided into words.
enum CaptionCleaning {
  /// Cleans as OpenCLIP's tokenizer does by default: repaired text, HTML references resolved twice,
  /// lower case. Returns UTF-8.
  ///
  /// White space is left alone, for no word holds any.
  static func openAI(_ text: String) -> [UInt8] {
    var bytes = Array(text.utf8)
    let isPlain = bytes.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "&"): false
      case 0x20...0x7E, 0x09, 0x0A, 0x0D: true
      default: false
      }
    }
    if isPlain {
      lowerASCII(&bytes)
      return bytes
    }
    var scalars = TextRepair.repair(Array(text.unicodeScalars))
    scalars = HTMLEntities.unescape(HTMLEntities.unescape(scalars))
    // Python's white space has four controls that the expression for words takes for symbols.
    for i in scalars.indices where scalars[i].isPythonSpace { scalars[i] = " " }
    return utf8(LowerCase.python(scalars))
  }

  /// Applies the normalisers of a Hugging Face tokenizer to UTF-8 text.
  static func huggingFace(_ text: [UInt8], composes: Bool, lowers: Bool) -> [UInt8] {
    var bytes = text
    if bytes.allSatisfy({ $0 < 0x80 }) {
      if lowers { lowerASCII(&bytes) }
      return bytes
    }
    var scalars = Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
    if composes { scalars = Normalization.huggingFace.composed(scalars) }
    if lowers { scalars = LowerCase.perCharacter(scalars) }
    return utf8(scalars)
  }

  private static func lowerASCII(_ bytes: inout [UInt8]) {
    for i in bytes.indices where (0x41...0x5A).contains(bytes[i]) { bytes[i] += 0x20 }
  }

  private static func utf8(_ scalars: [Unicode.Scalar]) -> [UInt8] {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    return Array(String(text).utf8)
  }
}
