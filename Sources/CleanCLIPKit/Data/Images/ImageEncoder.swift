internal import CImages

/// Writes images as PNG and JPEG files in memory.
package enum ImageEncoder {
  /// Encodes losslessly.
  /// - Throws: `.outOfMemory`, `.internal` when the codec refuses.
  package static func png(_ image: RGBImage) throws(CLIPError) -> [UInt8] {
    try encode(image, "PNG") { pixels, width, height, buffer, message in
      cimages_png_encode(pixels, width, height, buffer, message)
    }
  }

  /// Encodes with 2x2 chroma subsampling, as Pillow does by default.
  /// - Parameter quality: 1 ... 100 on libjpeg's scale.
  /// - Throws: `.invalidArgument` for another quality, `.outOfMemory`, `.internal`.
  package static func jpeg(_ image: RGBImage, quality: Int) throws(CLIPError) -> [UInt8] {
    guard (1...100).contains(quality) else {
      throw CLIPError(
        .invalidArgument, "JPEG: quality is out of range; expected 1 to 100, got \(quality)")
    }
    return try encode(image, "JPEG") { pixels, width, height, buffer, message in
      cimages_jpeg_encode(pixels, width, height, Int32(quality), buffer, message)
    }
  }

  private typealias Codec = (
    UnsafePointer<UInt8>, UInt32, UInt32, UnsafeMutablePointer<cimages_buffer>,
    UnsafeMutablePointer<CChar>
  ) -> cimages_status

  private static func encode(
    _ image: RGBImage, _ format: String, _ codec: Codec
  ) throws(CLIPError) -> [UInt8] {
    precondition(image.pixels.count == image.count * 3)
    var buffer = cimages_buffer()
    defer { cimages_buffer_free(&buffer) }
    var message = [CChar](repeating: 0, count: Int(CIMAGES_MESSAGE_SIZE))
    let status = codec(
      image.pixels, UInt32(image.width), UInt32(image.height), &buffer, &message)
    guard status == CIMAGES_OK, let bytes = buffer.bytes else {
      let words = String(decoding: message.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
      throw CLIPError(
        status == CIMAGES_OUT_OF_MEMORY ? .outOfMemory : .internal,
        "\(format): an image of \(image.width)x\(image.height) pixels could not be encoded: "
          + words)
    }
    return Array(UnsafeBufferPointer(start: bytes, count: buffer.count))
  }
}
