/// An image as text: a PNG file in base64 (RFC 4648), as pages and JSON documents hold it.
package struct EmbeddedImage: Equatable, Sendable {
  package let base64: String

  /// - Throws: `internal`, `outOfMemory` when the image cannot be encoded.
  package init(_ image: RGBImage) throws(CLIPError) {
    base64 = CleanCLIPKit.base64(try ImageEncoder.png(image))
  }

  /// Takes text from a document, which may be any.
  ///
  /// - Returns: `nil` for text that is no PNG file in base64; pixels are not looked at.
  package init?(base64 text: String) {
    let isDigit: (UInt8) -> Bool = { byte in
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"),
        UInt8(ascii: "="):
        true
      default: false
      }
    }
    guard text.hasPrefix(Self.signature), text.utf8.count <= Self.limit,
      text.utf8.allSatisfy(isDigit)
    else { return nil }
    base64 = text
  }

  /// How each PNG file begins.
  private static let signature = "iVBORw0KGgo"
  private static let limit = 4 << 20
}
