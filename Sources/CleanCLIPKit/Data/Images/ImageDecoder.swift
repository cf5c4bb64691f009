internal import CImages

/// Reads JPEG, PNG and WebP files, told apart by their first bytes and never by their names.
///
/// Opaque images decode to the pixels of Pillow's `Image.open(file).convert("RGB")`:
///
/// - JPEG: accurate integer DCT and smooth chroma upsampling; grey is spread over the channels; CMYK and
///   YCCK are taken for Adobe's inverted form and converted without a colour profile.
/// - PNG: grey of any depth, colour, palettes, interlacing. Of 16-bit values the high byte counts, also
///   for grey, where Pillow clips at 255 and most images turn white.
/// - WebP: lossy and lossless; of an animation the first frame.
/// - Colour profiles, gamma and the orientation in EXIF are not applied, as in Pillow.
///
/// Pillow drops an alpha channel and shows what its author meant to hide. Here the image is
/// composited on white, as a page shows it, and an alpha channel that hides another image is reported
/// in the notes.
///
/// A file that ends early, or a PNG with a wrong checksum, is an error. A JPEG with damaged data but all
/// of its rows decodes, as in Pillow, and says so in the notes.
package enum ImageDecoder {
  /// The most pixels a file may unpack to, 89 million: Pillow's limit against decompression bombs.
  package static let maximumPixels = 89_478_485

  private enum Format: String {
    case jpeg = "JPEG"
    case png = "PNG"
    case webp = "WebP"
  }

  /// Decodes a file held in memory.
  /// - Parameters:
  ///   - bytes: the whole file, borrowed for the call.
  ///   - name: names the file in errors.
  /// - Throws: `.format` for damaged files, `.unsupported` for other formats and for images above
  ///   `maximumPixels` or `RGBImage.maximumSide`, `.outOfMemory`.
  package static func decode(
    _ bytes: UnsafeRawBufferPointer, name: String
  ) throws(CLIPError) -> DecodedImage {
    guard let base = bytes.baseAddress, bytes.count > 0 else {
      throw CLIPError(
        .format, "'\(name)': the file is empty; expected a JPEG, PNG or WebP image, got 0 bytes")
    }
    let format = try format(of: bytes, name: name)
    let file = base.assumingMemoryBound(to: UInt8.self)
    var header = cimages_header()
    let status =
      switch format {
      case .jpeg: cimages_jpeg_header(file, bytes.count, &header)
      case .png: cimages_png_header(file, bytes.count, &header)
      case .webp: cimages_webp_header(file, bytes.count, &header)
      }
    try check(status, header, format, name)
    try checkSize(header, name)
    let rgba = try pixels(file, bytes.count, &header, format, name)
    var notes: [DecodedImage.Note] = []
    if header.is_animated != 0 { notes.append(.animated) }
    if header.warnings > 0 { notes.append(.damaged(message(of: header))) }
    let width = Int(header.width)
    let height = Int(header.height)
    if header.channels == 3 {
      return DecodedImage(image: RGBImage(width: width, height: height, pixels: rgba), notes: notes)
    }
    return Self.composite(rgba, width: width, height: height, notes: notes)
  }

  /// Decodes a file held in an array.
  package static func decode(_ bytes: [UInt8], name: String) throws(CLIPError) -> DecodedImage {
    try bytes.withUnsafeBufferPointer { (buffer) throws(CLIPError) in
      try decode(UnsafeRawBufferPointer(buffer), name: name)
    }
  }

  private static func pixels(
    _ file: UnsafePointer<UInt8>, _ count: Int, _ header: inout cimages_header, _ format: Format,
    _ name: String
  ) throws(CLIPError) -> [UInt8] {
    let size = Int(header.width) * Int(header.height) * Int(header.channels)
    var status = CIMAGES_OK
    let pixels = [UInt8](unsafeUninitializedCapacity: size) { output, initialized in
      guard let target = output.baseAddress else { return }
      status =
        switch format {
        case .jpeg: cimages_jpeg_decode(file, count, &header, target, size)
        case .png: cimages_png_decode(file, count, &header, target, size)
        case .webp: cimages_webp_decode(file, count, &header, target, size)
        }
      if status == CIMAGES_OK { initialized = size }
    }
    try check(status, header, format, name)
    return pixels
  }

  private static func format(
    of bytes: UnsafeRawBufferPointer, name: String
  ) throws(CLIPError) -> Format {
    if bytes.starts(with: [0xFF, 0xD8, 0xFF]) { return .jpeg }
    if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return .png }
    if bytes.starts(with: Array("RIFF".utf8)), bytes.count >= 12,
      bytes[8..<12].elementsEqual("WEBP".utf8)
    {
      return .webp
    }
    let known: [(signature: [UInt8], name: String)] = [
      (Array("GIF8".utf8), "GIF"), (Array("BM".utf8), "BMP"), (Array("II*\0".utf8), "TIFF"),
      (Array("MM\0*".utf8), "TIFF"), (Array("<svg".utf8), "SVG"), (Array("<".utf8), "HTML or XML"),
    ]
    for other in known where bytes.starts(with: other.signature) {
      throw CLIPError(
        .unsupported,
        "'\(name)': the format is not read; expected JPEG, PNG or WebP, got \(other.name); "
          + "convert the image")
    }
    throw CLIPError(
      .format,
      "'\(name)': not an image; expected JPEG, PNG or WebP, got bytes that start with "
        + bytes.prefix(8).map(Self.hexadecimal).joined(separator: " "))
  }

  private static func hexadecimal(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }

  private static func check(
    _ status: cimages_status, _ header: cimages_header, _ format: Format, _ name: String
  ) throws(CLIPError) {
    guard status != CIMAGES_OK else { return }
    let words = message(of: header)
    switch status {
    case CIMAGES_TRUNCATED:
      throw CLIPError(
        .format,
        "'\(name)': the file is cut off; expected a whole \(format.rawValue), got: \(words)")
    case CIMAGES_UNSUPPORTED:
      throw CLIPError(
        .unsupported,
        "'\(name)': this kind of \(format.rawValue) is not read; expected 8-bit grey, RGB or CMYK, "
          + "got: \(words); convert the image")
    case CIMAGES_OUT_OF_MEMORY:
      throw CLIPError(.outOfMemory, "'\(name)': not enough memory to decode the image")
    default:
      throw CLIPError(
        .format,
        "'\(name)': the \(format.rawValue) is damaged; expected a readable file, got: \(words)"
      )
    }
  }

  /// Comes before the pixels are allocated, so that a header alone costs nothing.
  private static func checkSize(_ header: cimages_header, _ name: String) throws(CLIPError) {
    let width = Int(header.width)
    let height = Int(header.height)
    let sides = 1...RGBImage.maximumSide
    guard sides.contains(width), sides.contains(height), width * height <= maximumPixels else {
      throw CLIPError(
        .unsupported,
        "'\(name)': the image is too large; expected at most \(RGBImage.maximumSide) pixels a "
          + "side and \(maximumPixels) in all, got \(width)x\(height); resize the image")
    }
  }

  private static func message(of header: cimages_header) -> String {
    var copy = header.message
    return withUnsafeBytes(of: &copy) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
