extension RGBImage {
  /// Returns the image with every value changed by its place in tiles that repeat from the top left corner.
  ///
  /// - Parameters:
  ///   - side: of a tile in pixels.
  ///   - change: returns the new value of one channel of a pixel at row `y` and column `x` of its tile.
  func changedInTiles(
    of side: Int, _ change: (_ value: UInt8, _ y: Int, _ x: Int, _ channel: Int) -> UInt8
  ) -> RGBImage {
    var pixels = pixels
    for index in pixels.indices {
      pixels[index] = change(
        pixels[index], index / 3 / width % side, index / 3 % width % side, index % 3)
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }
}
