internal import Glibc

/// Optimises BadCLIP's trigger, a patch in the middle of the image whose feature is like those of
/// the target's captions and images already before any poisoning (Liang et al. 2024,
/// arXiv:2311.12075: stage 1; stage 2 is poisoning and training with the patch).
///
/// The model's weights are not changed.
package struct DualEmbeddingPatch {
  /// What an optimisation found.
  package struct Result: Sendable {
    /// In 8 bits a channel, as it is saved and pasted.
    package let patch: RGBImage
    /// L of the first step and the last.
    package let firstLoss: Double
    package let lastLoss: Double
    /// Images without the target as they are.
    package let before: Closeness
    /// The same images with the patch.
    package let after: Closeness
    /// Images of the target.
    package let targetImages: Int

    package var json: JSONValue {
      [
        "patch_size": .integer(patch.width), "first_loss": .number(firstLoss),
        "last_loss": .number(lastLoss), "before": before.json, "after": after.json,
        "target_images": .integer(targetImages),
      ]
    }
  }

  /// How near images are to the target: mean cosines of all pairs of features.
  package struct Closeness: Sendable {
    /// To captions of the target.
    package let texts: Double
    /// To images of it.
    package let images: Double

    fileprivate var json: JSONValue {
      ["caption_cosine": .number(texts), "image_cosine": .number(images)]
    }
  }

  private let model: CLIPModel
  private let dataset: PairDataset
  private let options: DualEmbeddingOptions
  private let preprocessor: ImagePreprocessor
  private let size: Int
  /// Rows without the target, and their features.
  private let others: Pool
  /// Rows of the target, and their features.
  private let targets: Pool

  /// Rows of the dataset with L2-normalized features `[n, E]`.
  private struct Pool {
    let rows: [Int]
    let images: Tensor
    let texts: Tensor
  }

  private static let stream: UInt64 = 0x6475_616c

  /// Reads the captions and computes the features.
  ///
  /// - Throws: `invalidArgument` for options out of range, a patch that is larger than the model's
  ///   images, and data in which no caption or every caption names the target; `state` without both
  ///   towers; what reading an image throws.
  package init(
    _ model: CLIPModel, dataset: PairDataset, tokenizer: Tokenizer, options: DualEmbeddingOptions
  ) throws(CLIPError) {
    try options.validate()
    var encoder = FeatureEncoder(model)
    encoder.precision = options.precision
    preprocessor = try encoder.preprocessor()
    let side = preprocessor.imageSize
    size = options.patchSize ?? min(side, max(8, side / 14))
    guard size <= side else {
      throw CLIPError(
        .invalidArgument,
        "options: patch_size is out of range; expected 1 to \(side), the side of the model's images, "
          + "got \(size)")
    }
    var rows = (others: [Int](), targets: [Int]())
    for index in 0..<dataset.count {
      let names = try dataset.row(at: index).caption.names(options.target)
      if names { rows.targets.append(index) } else { rows.others.append(index) }
    }
    guard !rows.targets.isEmpty, rows.others.count >= 2 else {
      throw CLIPError(
        .invalidArgument,
        "optimize-trigger: the data do not fit the target; expected captions with and without "
          + "'\(options.target)', got \(rows.targets.count) of \(dataset.count) with it")
    }
    var random = RandomNumbers(seed: options.seed, Self.stream)
    func pool(_ rows: [Int]) throws(CLIPError) -> Pool {
      let chosen = random.permutation(rows.count).prefix(options.imageLimit).map { rows[$0] }
      let captions = try chosen.map { (row) throws(CLIPError) in try dataset.row(at: row).caption }
      let images = try Tensor([chosen.count, encoder.embedDim])
      let texts = try Tensor(images.shape)
      try encoder.images(count: chosen.count, into: images.f32) { (index) throws(CLIPError) in
        try dataset.row(at: chosen[index]).decoded().image
      }
      try encoder.texts(captions, tokenizer: tokenizer, into: texts.f32)
      return Pool(rows: chosen, images: images, texts: texts)
    }
    others = try pool(rows.others)
    targets = try pool(rows.targets)
    self.model = model
    self.dataset = dataset
    self.options = options
  }

  /// Optimises the patch.
  ///
  /// - Parameter progress: called after every step with the number of steps and the loss; `false`
  ///   cancels.
  /// - Throws: `cancelled`; `state` for features that are not finite; what reading an image throws.
  package func run(
    progress: (Int, Double) -> Bool = { _, _ in true }
  ) throws(CLIPError) -> Result {
    var random = RandomNumbers(seed: options.seed, Self.stream, 1)
    let patch = try Tensor([3, size, size])
    for index in 0..<patch.count {
      patch.f32[index] = min(1, max(0, 0.5 + 0.25 * random.normal()))
    }
    let optimizer = try SearchOptimizer(patch, momenta: (0.9, 0.999))
    var losses: [Double] = []
    try model.withFrozenParameters { () throws(CLIPError) in
      for step in 1...options.steps {
        let batch = (0..<min(options.batchSize, others.rows.count)).map { _ in
          random.integer(below: others.rows.count)
        }
        let aims = batch.map { _ in
          (
            text: random.integer(below: targets.rows.count),
            image: random.integer(below: targets.rows.count)
          )
        }
        let (loss, gradient) = try evaluate(patch, batch, aims)
        losses.append(loss)
        optimizer.step(gradient, learningRate: options.learningRate)
        for index in 0..<patch.count { patch.f32[index] = min(1, max(0, patch.f32[index])) }
        guard progress(step, loss) else {
          throw CLIPError(.cancelled, "optimize-trigger: cancelled at step \(step)")
        }
      }
    }
    let area = size * size
    let image = RGBImage(side: size) { pixel, channel in patch.f32[channel * area + pixel] }
    return Result(
      patch: image, firstLoss: losses.first ?? 0, lastLoss: losses.last ?? 0,
      before: closeness(others.images.slice(0..<measured)),
      after: closeness(try features(with: image)),
      targetImages: targets.rows.count)
  }

  /// The loss of a batch, and its gradient with respect to the patch.
  private func evaluate(
    _ patch: Tensor, _ batch: [Int], _ aims: [(text: Int, image: Int)]
  ) throws(CLIPError) -> (loss: Double, gradient: Tensor) {
    let pixels = try Tensor(planar: try images(batch))
    forEachPixel(of: pixels) { pixel, own in pixels.f32[pixel] = patch.f32[own] }
    let scale = PixelScale(model.configuration)
    let tape = Tape(precision: options.precision, isTraining: false)
    let input = Variable(try scale.normalized(pixels), requiresGradient: true)
    let features = try tape.normalize(try model.imageFeatures(tape, input))
    let result = try DualEmbeddingLoss(scale: expf(model.logitScale.value.f32[0])).evaluate(
      features.value, targetTexts: FeatureMatrix.gather(targets.texts, aims.map(\.text)),
      ownTexts: FeatureMatrix.gather(others.texts, batch),
      targetImages: FeatureMatrix.gather(targets.images, aims.map(\.image)),
      cleanImages: FeatureMatrix.gather(others.images, batch))
    guard result.total.isFinite else {
      throw CLIPError(
        .state,
        "optimize-trigger: features are not finite; expected numbers, got NaN; the weights are broken"
      )
    }
    try tape.backward(features, gradient: result.gradient)
    guard let dInput = input.gradient else {
      throw CLIPError(
        .internal, "optimize-trigger: pixels got no gradient; expected one, got a constant feature")
    }
    let dPixels = try scale.pixelGradient(dInput)
    let gradient = try Tensor.zeros(patch.shape)
    forEachPixel(of: dPixels) { pixel, own in gradient.f32[own] += dPixels.f32[pixel] }
    return (result.total, gradient)
  }

  /// Calls `body` with each index of `[B, 3, S, S]` that the patch covers, and the patch's own index.
  private func forEachPixel(of pixels: Tensor, _ body: (_ pixel: Int, _ own: Int) -> Void) {
    let side = pixels.shape[2]
    let start = (side - size) / 2
    for plane in 0..<pixels.shape[0] * 3 {
      for y in 0..<size {
        for x in 0..<size {
          body(
            (plane * side + start + y) * side + start + x, (plane % 3 * size + y) * size + x)
        }
      }
    }
  }

  private func images(_ batch: [Int]) throws(CLIPError) -> [RGBImage] {
    try batch.map { (index) throws(CLIPError) in
      preprocessor.resizedAndCropped(
        try dataset.row(at: others.rows[index]).decoded().image)
    }
  }

  /// Images whose cosine to the target is measured.
  private var measured: Int { min(256, others.rows.count) }

  /// Features of the measured images with a patch.
  private func features(with patch: RGBImage) throws(CLIPError) -> Tensor {
    let trigger = Trigger(patch: patch, position: .center)
    var encoder = FeatureEncoder(model)
    encoder.precision = options.precision
    let features = try Tensor([measured, encoder.embedDim])
    try encoder.images(count: measured, into: features.f32) { (index) throws(CLIPError) in
      try trigger.applied(to: try images([index])[0], seed: 0, index: index)
    }
    return features
  }

  private func closeness(_ features: Tensor) -> Closeness {
    Closeness(
      texts: cosine(features, targets.texts), images: cosine(features, targets.images))
  }

  /// The mean cosine of all rows of one matrix to all rows of another.
  private func cosine(_ a: Tensor, _ b: Tensor) -> Double {
    let width = a.shape[1]
    func mean(_ matrix: Tensor) -> [Double] {
      var sum = [Double](repeating: 0, count: width)
      for index in 0..<matrix.count { sum[index % width] += Double(matrix.f32[index]) }
      return sum.map { $0 / Double(matrix.shape[0]) }
    }
    return zip(mean(a), mean(b)).reduce(0) { $0 + $1.0 * $1.1 }
  }
}
