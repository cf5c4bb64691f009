/// An image of 8-bit red, green and blue values.
///
/// Rows run from top to bottom without padding: the value of channel `c` at column `x` of row `y` is
/// `pixels[(y * width + x) * 3 + c]`.
package struct RGBImage: Equatable, Sendable {
  /// The longest side that an image may have: PNG and JPEG files of more pixels a side are refused.
  package static let maximumSide = 65_535

  package let width: Int
  package let height: Int
  /// `[height, width, 3]`; its count must stay `width * height * 3`.
  package var pixels: [UInt8]

  /// Takes over `pixels`, of which there are `width * height * 3`; sides are 1 ... `maximumSide`.
  package init(width: Int, height: Int, pixels: [UInt8]) {
    precondition((1...Self.maximumSide).contains(width))
    precondition((1...Self.maximumSide).contains(height))
    precondition(pixels.count == width * height * 3)
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// Makes an image of one colour.
  package init(width: Int, height: Int, red: UInt8 = 0, green: UInt8 = 0, blue: UInt8 = 0) {
    var pixels = [UInt8](repeating: red, count: width * height * 3)
    if green != red || blue != red {
      for i in stride(from: 0, to: pixels.count, by: 3) {
        pixels[i + 1] = green
        pixels[i + 2] = blue
      }
    }
    self.init(width: width, height: height, pixels: pixels)
  }

  /// The number of pixels.
  var count: Int { width * height }

  /// Returns an image of the same size, whose pixels `body` writes.
  func drawn(_ body: (UnsafePointer<UInt8>, UnsafeMutablePointer<UInt8>) -> Void) -> RGBImage {
    Self.make(width: width, height: height, from: self, body)
  }

  /// Returns an image of another size, whose pixels `body` writes from those of `source`.
  static func make(
    width: Int, height: Int, from source: RGBImage,
    _ body: (UnsafePointer<UInt8>, UnsafeMutablePointer<UInt8>) -> Void
  ) -> RGBImage {
    precondition(source.pixels.count == source.width * source.height * 3)
    let count = width * height * 3
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { output, initialized in
      source.pixels.withUnsafeBufferPointer { input in
        if let from = input.baseAddress, let to = output.baseAddress {
          body(from, to)
          initialized = count
        }
      }
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }
}
