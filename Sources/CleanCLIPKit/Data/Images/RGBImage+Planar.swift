extension RGBImage {
  /// Copies image `row` of `[B, 3, S, S]` in 0…1, rounded to 8 bits.
  init(planar pixels: Tensor, row: Int) {
    let side = pixels.shape[2]
    let area = side * side
    self.init(side: side) { pixel, channel in pixels.f32[(row * 3 + channel) * area + pixel] }
  }

  /// Makes a square image from a colour in 0…1 for each pixel and channel.
  init(side: Int, _ color: (_ pixel: Int, _ channel: Int) -> Float) {
    self.init(width: side, height: side)
    for pixel in 0..<side * side {
      for channel in 0..<3 {
        pixels[3 * pixel + channel] = UInt8(min(255, max(0, color(pixel, channel) * 255 + 0.5)))
      }
    }
  }
}

extension Tensor {
  /// Copies square images of one size to `[B, 3, S, S]` in 0…1.
  init(planar images: [RGBImage]) throws(CLIPError) {
    let side = images.first?.width ?? 0
    precondition(images.allSatisfy { $0.width == side && $0.height == side }, "squares of one size")
    try self.init([images.count, 3, side, side])
    let area = side * side
    for (row, image) in images.enumerated() {
      for channel in 0..<3 {
        let target = f32 + (row * 3 + channel) * area
        for pixel in 0..<area { target[pixel] = Float(image.pixels[3 * pixel + channel]) / 255 }
      }
    }
  }
}
