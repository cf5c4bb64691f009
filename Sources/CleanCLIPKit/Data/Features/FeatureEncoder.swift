internal import Glibc

/// Computes features of images and texts in whatever form a program has them, a batch at a time.
package struct FeatureEncoder {
  package let model: CLIPModel
  /// Whether to L2-normalize each feature.
  package var normalize = true
  /// Element type of the computation.
  package var precision = DType.f32
  /// Images or texts that are prepared at a time, of large images fewer (`PixelMemory`): bounds the
  /// memory, not the result.
  package var batchSize = defaultBatchSize
  package static let defaultBatchSize = 64
  /// The most images or texts that are computed at a time.
  static let batchLimit = 65_536

  static let rules: [OptionRule<FeatureEncoder>] = [
    OptionRule("batch_size", \.batchSize, .range(1...batchLimit))
  ]

  package init(_ model: CLIPModel) { self.model = model }

  /// Checks the options.
  ///
  /// - Throws: `invalidArgument` naming the option.
  package func validate() throws(CLIPError) { try Self.rules.check(self) }

  /// E, the length of a feature.
  package var embedDim: Int { model.configuration.embedDim }

  /// The preparation of images for the model.
  ///
  /// - Throws: `state` without an image tower.
  package func preprocessor() throws(CLIPError) -> ImagePreprocessor {
    ImagePreprocessor(imageSize: try imageSize(), model.configuration.preprocessing)
  }

  /// S.
  ///
  /// - Throws: `state` without an image tower.
  package func imageSize() throws(CLIPError) -> Int {
    guard let vision = model.configuration.vision else {
      throw CLIPError(
        .state, "encode image: the model has no image tower; expected one, got a text-only model")
    }
    return vision.imageSize
  }

  /// The text tower's sizes.
  ///
  /// - Throws: `state` without a text tower.
  package func textConfiguration() throws(CLIPError) -> TextConfiguration {
    guard let text = model.configuration.text else {
      throw CLIPError(
        .state, "encode text: the model has no text tower; expected one, got an image-only model")
    }
    return text
  }

  /// Computes features of images that are prepared singly.
  ///
  /// - Parameters:
  ///   - count: n.
  ///   - features: `[n, E]`, written.
  ///   - image: returns image `index`, of any size.
  package func images(
    count: Int, into features: UnsafeMutablePointer<Float>,
    _ image: (_ index: Int) throws(CLIPError) -> RGBImage
  ) throws(CLIPError) {
    let preprocessor = try preprocessor()
    let size = preprocessor.imageSize
    try inBatches(count, limit: PixelMemory.images(side: size), into: features) {
      (range) throws(CLIPError) in
      let pixels = try Tensor([range.count, 3, size, size])
      for (row, index) in range.enumerated() {
        let image = preprocessor.resizedAndCropped(try image(index))
        preprocessor.write(image, into: pixels.f32 + row * 3 * size * size)
      }
      return try model.encodeImages(pixels, normalize: normalize, precision: precision)
    }
  }

  /// Computes features of image files.
  ///
  /// - Throws: `notFound`, `io` or `format` for the first file that cannot be read.
  package func images(
    files: [String], into features: UnsafeMutablePointer<Float>
  ) throws(CLIPError) {
    try images(count: files.count, into: features) { (index) throws(CLIPError) in
      let file = try FileContents(files[index])
      return try ImageDecoder.decode(file.bytes, name: files[index]).image
    }
  }

  /// Computes features of the images of a dataset, in its order.
  ///
  /// - Parameters:
  ///   - features: `[n, E]`, written.
  ///   - progress: called with the number of images read; `false` cancels.
  /// - Throws: what is wrong with the first image that cannot be read; `cancelled`.
  package func images(
    of dataset: PairDataset, into features: UnsafeMutablePointer<Float>,
    progress: (Int) -> Bool
  ) throws(CLIPError) {
    try images(count: dataset.count, into: features) { (index) throws(CLIPError) in
      guard progress(index) else {
        throw CLIPError(
          .cancelled, "encode image: cancelled after \(index) of \(dataset.count) images")
      }
      return try dataset.row(at: index).decoded().image
    }
    _ = progress(dataset.count)
  }

  /// Computes features of images whose pixels are bytes.
  ///
  /// - Parameters:
  ///   - pixels: `[count, height, width, 3]`, borrowed for the call.
  ///   - features: `[count, E]`, written.
  package func images(
    bytes pixels: UnsafePointer<UInt8>, count: Int, height: Int, width: Int,
    into features: UnsafeMutablePointer<Float>
  ) throws(CLIPError) {
    let size = height * width * 3
    try images(count: count, into: features) { (index) throws(CLIPError) in
      RGBImage(
        width: width, height: height,
        pixels: Array(UnsafeBufferPointer(start: pixels + index * size, count: size)))
    }
  }

  /// Computes features of images whose pixels are numbers in 0 … 1.
  ///
  /// - Parameters:
  ///   - pixels: `[count, 3, S, S]`, borrowed for the call. Numbers from -1 to 2 are taken as they
  ///     are, because resampling overshoots.
  ///   - features: `[count, E]`, written.
  /// - Throws: `invalidArgument` for a number beyond, which belongs to another scale.
  package func images(
    unit pixels: UnsafePointer<Float>, count: Int, into features: UnsafeMutablePointer<Float>
  ) throws(CLIPError) {
    let configuration = model.configuration
    try prepared(pixels, count: count, into: features) { (source, target, plane, channel) in
      let mean = configuration.imageMean[channel]
      let scale = 1 / configuration.imageStandardDeviation[channel]
      for i in 0..<plane { target[i] = (source[i] - mean) * scale }
    } check: { (lowest, highest) throws(CLIPError) in
      guard lowest >= -0.5, highest <= 1.5 else {
        throw CLIPError(
          .invalidArgument,
          "encode image: pixels are of another scale; expected numbers in 0 to 1, got \(lowest) to "
            + "\(highest)")
      }
    }
  }

  /// Computes features of what the towers themselves read.
  ///
  /// - Parameters:
  ///   - inputs: `[count, 3, S, S]` normalised, borrowed for the call.
  ///   - features: `[count, E]`, written.
  /// - Throws: `invalidArgument` for numbers that are not finite.
  package func images(
    inputs: UnsafePointer<Float>, count: Int, into features: UnsafeMutablePointer<Float>
  ) throws(CLIPError) {
    try prepared(inputs, count: count, into: features) { (source, target, plane, _) in
      target.update(from: source, count: plane)
    } check: { (lowest, highest) throws(CLIPError) in
      guard lowest.isFinite, highest.isFinite else {
        throw CLIPError(
          .invalidArgument,
          "encode image: inputs are not finite; expected numbers, got \(lowest) to \(highest)")
      }
    }
  }

  private func prepared(
    _ pixels: UnsafePointer<Float>, count: Int, into features: UnsafeMutablePointer<Float>,
    _ copy: (UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int, Int) -> Void,
    check: (_ lowest: Float, _ highest: Float) throws(CLIPError) -> Void
  ) throws(CLIPError) {
    let size = try imageSize()
    let plane = size * size
    try inBatches(count, limit: PixelMemory.images(side: size), into: features) {
      (range) throws(CLIPError) in
      let source = pixels + range.lowerBound * 3 * plane
      let (lowest, highest) = Self.bounds(source, range.count * 3 * plane)
      try check(lowest, highest)
      let batch = try Tensor([range.count, 3, size, size])
      for index in 0..<range.count * 3 {
        copy(source + index * plane, batch.f32 + index * plane, plane, index % 3)
      }
      return try model.encodeImages(batch, normalize: normalize, precision: precision)
    }
  }

  /// The lowest and the highest number; NaN where there is one.
  private static func bounds(_ values: UnsafePointer<Float>, _ count: Int) -> (Float, Float) {
    var lowest = Float.infinity
    var highest = -Float.infinity
    var hasNaN = false
    for i in 0..<count {
      let value = values[i]
      lowest = value < lowest ? value : lowest
      highest = value > highest ? value : highest
      hasNaN = hasNaN || value.isNaN
    }
    return hasNaN ? (.nan, .nan) : (lowest, highest)
  }

  /// Computes features of texts.
  ///
  /// - Parameter features: `[texts, E]`, written.
  /// - Throws: `invalidArgument` when the tokenizer is of a larger vocabulary than the model.
  package func texts(
    _ texts: [String], tokenizer: Tokenizer, into features: UnsafeMutablePointer<Float>
  ) throws(CLIPError) {
    let configuration = try textConfiguration()
    try check(tokenizer)
    try inBatches(texts.count, into: features) { (range) throws(CLIPError) in
      let tokens = TokenBatch(
        texts[range].map {
          tokenizer.encode($0, contextLength: configuration.contextLength)
        })
      return try model.encodeTexts(tokens, normalize: normalize, precision: precision)
    }
  }

  /// Checks that a tokenizer makes ids that the model has.
  package func check(_ tokenizer: Tokenizer) throws(CLIPError) {
    let configuration = try textConfiguration()
    guard tokenizer.vocabularySize <= configuration.vocabularySize else {
      throw CLIPError(
        .invalidArgument,
        "tokenizer: its vocabulary is not the model's; expected at most "
          + "\(configuration.vocabularySize) ids, got \(tokenizer.vocabularySize)")
    }
  }

  /// Computes features of token ids.
  ///
  /// - Parameters:
  ///   - ids: `[count, length]`, borrowed for the call.
  ///   - features: `[count, E]`, written.
  /// - Throws: `shape` when rows are longer than the context; `invalidArgument` for an id that is
  ///   not in the vocabulary.
  package func tokens(
    _ ids: UnsafePointer<Int32>, count: Int, length: Int,
    into features: UnsafeMutablePointer<Float>
  ) throws(CLIPError) {
    let configuration = try textConfiguration()
    guard length <= configuration.contextLength else {
      throw CLIPError(
        .shape,
        "encode text: rows of ids are too long; expected at most \(configuration.contextLength), "
          + "got \(length)")
    }
    try inBatches(count, into: features) { (range) throws(CLIPError) in
      let rows = Array(
        UnsafeBufferPointer(start: ids + range.lowerBound * length, count: range.count * length))
      if let wrong = rows.first(where: { $0 < 0 || $0 >= configuration.vocabularySize }) {
        throw CLIPError(
          .invalidArgument,
          "encode text: a token id is out of range; expected 0 to "
            + "\(configuration.vocabularySize - 1), got \(wrong)")
      }
      let tokens = TokenBatch(padded: rows, columns: length, endOfText: configuration.endOfText)
      return try model.encodeTexts(tokens, normalize: normalize, precision: precision)
    }
  }

  private func inBatches(
    _ count: Int, limit: Int = batchLimit, into features: UnsafeMutablePointer<Float>,
    _ encode: (Range<Int>) throws(CLIPError) -> Tensor
  ) throws(CLIPError) {
    try validate()
    let step = min(batchSize, limit)
    for start in stride(from: 0, to: count, by: step) {
      try Polling.check()
      let range = start..<min(count, start + step)
      let batch = try encode(range)
      memcpy(features + start * embedDim, batch.f32, batch.byteCount)
    }
  }
}
