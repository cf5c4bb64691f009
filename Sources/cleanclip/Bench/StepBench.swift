internal import CleanCLIPKit

/// Times a model with random weights on random images and captions.
struct StepBench {
  let model: CLIPModel
  let pairs: Int
  let captionTokens: Int
  let precision: DType
  let watch: Stopwatch
  let memoryBudget: Int?

  /// Seconds of one step of CleanCLIP.
  func step() throws(CLIPError) -> Double {
    let batch = TrainingBatch(
      pixels: try pixels(), tokens: tokens(), views: 2, labels: nil,
      keys: (0..<pairs).map { "\($0)" })
    let source = BatchSource(
      pairs: pairs, batchesPerEpoch: watch.repetitions + 1, identity: "bench"
    ) { (_, _) throws(CLIPError) in BatchStream { () throws(CLIPError) in batch } }
    var options = TrainingOptions()
    options.epochs = 1
    options.batchSize = pairs
    options.precision = precision
    options.memoryBudget = memoryBudget
    options.warmupSteps = 0
    let recipe = try CleanCLIPRecipe(
      model, loss: CleanCLIPLoss(clipWeight: 1, inmodalWeight: 1))
    let trainer = try Trainer(recipe, source: source, options: options)
    var times: [Double] = []
    var last = monotonicSeconds()
    _ = try trainer.run { _ in
      times.append(monotonicSeconds() - last)
      last = monotonicSeconds()
      return true
    }
    return Stopwatch.median(Array(times.dropFirst()))
  }

  /// The arithmetic of a step, in floating-point operations: N pairs and their augmented views.
  var operationsOfStep: Double {
    let configuration = model.configuration
    let twice =
      configuration.arithmeticOfImage
      + configuration.arithmeticOfCaption(tokens: captionTokens)
    return 2 * Double(twice.training * 2 * pairs)
  }

  /// Seconds of embedding 2 N images.
  func images() throws(CLIPError) -> Double {
    let pixels = try pixels()
    return try watch.median { () throws(CLIPError) in
      _ = try model.encodeImages(pixels, normalize: true, precision: precision)
    }
  }

  /// Seconds of embedding 2 N captions.
  func texts() throws(CLIPError) -> Double {
    let tokens = tokens()
    return try watch.median { () throws(CLIPError) in
      _ = try model.encodeTexts(tokens, normalize: true, precision: precision)
    }
  }

  private func pixels() throws(CLIPError) -> Tensor {
    let size = model.configuration.vision?.imageSize ?? 0
    return try .random([2 * pairs, 3, size, size], seed: 1)
  }

  private func tokens() -> TokenBatch {
    let vocabulary = model.configuration.text?.vocabularySize ?? 3
    var random = RandomNumbers(seed: 2)
    return TokenBatch(
      (0..<2 * pairs).map { _ in
        [Int32(vocabulary - 2)]
          + (0..<captionTokens - 2).map { _ in Int32(random.integer(below: vocabulary - 2)) }
          + [Int32(vocabulary - 1)]
      })
  }
}

extension Tensor {
  /// Uniform numbers in -1…1.
  static func random(
    _ shape: Shape, _ dtype: DType = .f32, seed: UInt64
  ) throws(CLIPError) -> Tensor {
    let tensor = try Tensor(shape)
    var random = RandomNumbers(seed: seed)
    for i in 0..<tensor.count { tensor.f32[i] = random.uniform() * 2 - 1 }
    return try tensor.converted(to: dtype)
  }
}
