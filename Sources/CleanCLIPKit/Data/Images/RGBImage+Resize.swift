internal import CImages

extension RGBImage {
  /// Resizes by a filter of Pillow's, to the bytes of Pillow 13's `Image.resize(size, BICUBIC)` or
  /// `BILINEAR`.
  ///
  /// The bicubic filter is Keys' cubic convolution with a = -0.5; both are stretched by the scale when the
  /// image shrinks (antialiasing). Earlier Pillows round differently where the height loses more than twice as
  /// many pixels as the width.
  /// - Throws: `.invalidArgument` when a side is not in 1 ... `maximumSide`.
  package func resized(
    width newWidth: Int, height newHeight: Int, by filter: Interpolation = .bicubic
  ) throws(CLIPError) -> RGBImage {
    let sides = 1...Self.maximumSide
    guard sides.contains(newWidth), sides.contains(newHeight) else {
      throw CLIPError(
        .invalidArgument,
        "resize: an image cannot have this size; expected sides of 1 to \(Self.maximumSide), "
          + "got \(newWidth)x\(newHeight)")
    }
    return resized(
      width: newWidth, height: newHeight, left: 0, top: 0, croppedWidth: newWidth,
      croppedHeight: newHeight, by: filter)
  }

  /// Resizes and crops in one go: only the filtered pixels that stay are computed.
  ///
  /// The crop is inside the resized image, whose own sides may be longer than `maximumSide`.
  func resized(
    width newWidth: Int, height newHeight: Int, left: Int, top: Int, croppedWidth: Int,
    croppedHeight: Int, by filter: Interpolation
  ) -> RGBImage {
    precondition(left >= 0 && top >= 0)
    precondition(left + croppedWidth <= newWidth && top + croppedHeight <= newHeight)
    let window = cimages_window(
      x: Int64(left), y: Int64(top), width: Int32(croppedWidth), height: Int32(croppedHeight))
    let scratch = UnsafeMutableRawPointer.allocate(
      byteCount: cimages_resize_scratch(
        Int32(width), Int32(height), Int64(newWidth), Int64(newHeight), window),
      alignment: 16)
    defer { scratch.deallocate() }
    return Self.make(width: croppedWidth, height: croppedHeight, from: self) { input, output in
      cimages_resize(
        input, Int32(width), Int32(height), Int64(newWidth), Int64(newHeight),
        filter == .bilinear ? CIMAGES_BILINEAR : CIMAGES_BICUBIC, window, output, scratch)
    }
  }
}
