internal import Glibc

extension CLIPModel {
  /// Images or captions that pass through a tower at once.
  private static let chunk = 32

  /// Returns the features of images.
  ///
  /// - Parameters:
  ///   - pixels: `[n, 3, S, S]` single precision, normalised; `n` may be 0.
  ///   - normalize: whether to L2-normalize each feature.
  ///   - precision: element type of the computation.
  /// - Returns: `[n, E]` single precision.
  package func encodeImages(
    _ pixels: Tensor, normalize: Bool, precision: DType
  ) throws(CLIPError) -> Tensor {
    guard pixels.shape.rank == 4, pixels.dtype == .f32 else {
      throw CLIPError(
        .shape,
        "encode image: pixels do not fit; expected single precision [batch, 3, height, width], "
          + "got \(pixels.shape)")
    }
    return try encode(pixels.shape[0], normalize: normalize, precision: precision) {
      (tape, range) throws(CLIPError) in
      try self.imageFeatures(tape, Variable(pixels.slice(range)))
    }
  }

  /// Returns the features of captions.
  ///
  /// - Parameters:
  ///   - tokens: packed captions; may be empty.
  ///   - normalize: whether to L2-normalize each feature.
  ///   - precision: element type of the computation.
  /// - Returns: `[n, E]` single precision.
  package func encodeTexts(
    _ tokens: TokenBatch, normalize: Bool, precision: DType
  ) throws(CLIPError) -> Tensor {
    try encode(tokens.count, normalize: normalize, precision: precision) {
      (tape, range) throws(CLIPError) in
      try self.textFeatures(tape, tokens[range])
    }
  }

  private func encode(
    _ count: Int, normalize: Bool, precision: DType,
    _ features: (Tape, Range<Int>) throws(CLIPError) -> Variable
  ) throws(CLIPError) -> Tensor {
    let result = try Tensor([count, configuration.embedDim], .f32)
    var start = 0
    while start < count {
      let range = start..<min(count, start + Self.chunk)
      let tape = Tape(precision: precision, isTraining: false, isRecording: false)
      var output = try features(tape, range)
      if normalize { output = try tape.normalize(output) }
      let values = try output.value.converted(to: .f32)
      memcpy(result.slice(range).bytes, values.bytes, values.byteCount)
      start = range.upperBound
    }
    return result
  }
}
