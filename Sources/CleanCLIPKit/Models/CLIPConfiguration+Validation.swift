extension CLIPConfiguration {
  /// Checks that a model can be built with these sizes, so that no later product overflows.
  ///
  /// - Throws: `unsupported`, naming the size that is out of range.
  package func validate() throws(CLIPError) {
    try check("embed_dim", embedDim, 1...65_536)
    if vision == nil && text == nil {
      throw CLIPError(
        .unsupported,
        "model: it has no tower; expected an image tower, a text tower or both, got neither")
    }
    guard imageMean.count == 3, imageStandardDeviation.count == 3,
      imageMean.allSatisfy(\.isFinite),
      imageStandardDeviation.allSatisfy({ $0.isFinite && $0 > 0 })
    else {
      throw CLIPError(
        .unsupported,
        "model: pixel mean and deviation are not usable; expected 3 finite numbers each, positive "
          + "deviations, got \(imageMean) and \(imageStandardDeviation)")
    }
    switch vision {
    case .transformer(let configuration): try configuration.validate()
    case .resNet(let configuration): try configuration.validate()
    case nil: break
    }
    if let text {
      try check("context_length", text.contextLength, 1...65_536)
      try check("vocab_size", text.vocabularySize, 1...16_777_216)
      try text.transformer.validate("text")
    }
  }
}

private func check(
  _ name: String, _ value: Int, _ range: ClosedRange<Int>
) throws(CLIPError) {
  guard range.contains(value) else {
    throw CLIPError(
      .unsupported,
      "model: \(name) is out of range; expected \(range.lowerBound) to \(range.upperBound), "
        + "got \(value)")
  }
}

extension TransformerConfiguration {
  fileprivate func validate(_ tower: String) throws(CLIPError) {
    try check("\(tower) width", width, 1...65_536)
    try check("\(tower) layers", layers, 0...1_000)
    try check("\(tower) mlp width", mlpWidth, 1...1_048_576)
    try check("\(tower) heads", heads, 1...width)
    guard width % heads == 0 else {
      throw CLIPError(
        .unsupported,
        "model: \(tower) heads do not divide the width; expected a divisor of \(width), "
          + "got \(heads)")
    }
    guard layerNormEpsilon.isFinite, layerNormEpsilon > 0 else {
      throw CLIPError(
        .unsupported,
        "model: \(tower) layer norm epsilon is not usable; expected a positive number, "
          + "got \(layerNormEpsilon)")
    }
  }
}

extension VisionTransformerConfiguration {
  fileprivate func validate() throws(CLIPError) {
    try check("image_size", imageSize, 1...VisionConfiguration.maximumImageSize)
    try check("patch_size", patchSize, 1...imageSize)
    guard imageSize % patchSize == 0 else {
      throw CLIPError(
        .unsupported,
        "model: patch_size does not divide image_size; expected a divisor of \(imageSize), "
          + "got \(patchSize)")
    }
    try transformer.validate("vision")
  }
}

extension ModifiedResNetConfiguration {
  fileprivate func validate() throws(CLIPError) {
    try check("image_size", imageSize, 32...VisionConfiguration.maximumImageSize)
    guard imageSize % 32 == 0 else {
      throw CLIPError(
        .unsupported,
        "model: image_size does not fit a ResNet; expected a multiple of 32, got \(imageSize)")
    }
    try check("vision width", width, 2...4_096)
    guard width % 2 == 0 else {
      throw CLIPError(
        .unsupported, "model: vision width is odd; expected an even number, got \(width)")
    }
    guard layers.count == 4, layers.allSatisfy({ (1...1_000).contains($0) }) else {
      throw CLIPError(
        .unsupported,
        "model: vision layers do not make a ResNet; expected four counts from 1 to 1000, "
          + "got \(layers)")
    }
    try check("vision heads", heads, 1...featureWidth)
    guard featureWidth % heads == 0 else {
      throw CLIPError(
        .unsupported,
        "model: vision heads do not divide the feature width; expected a divisor of "
          + "\(featureWidth), got \(heads)")
    }
    if case .separate(let epsilon) = batchNorm, !(epsilon.isFinite && epsilon > 0) {
      throw CLIPError(
        .unsupported,
        "model: batch norm epsilon is not usable; expected a positive number, got \(epsilon)")
    }
  }
}
