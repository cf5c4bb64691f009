internal import Glibc
internal import ONNXGraphs

/// Products of all image features with all text features.
struct LogitsMatch {
  let image: GraphValue
  let text: GraphValue
  /// At most one.
  let scale: [ParameterPiece]
  let kind: OutputKind
}

extension GraphMatcher {
  /// Recognises scale · image features · text featuresᵀ in either order, or its softmax.
  func matchLogits(_ value: GraphValue) throws(CLIPError) -> LogitsMatch {
    var product = value
    var isSoftmax = false
    if case .softmax(let logits)? = computation(value) {
      product = logits
      isSoftmax = true
    }
    var scales: [GraphValue] = []
    let inner = collectingFactors(product, &scales)
    if case .binary(.add, let a, let b)? = computation(inner),
      a.constant != nil || b.constant != nil
    {
      throw mismatch(
        inner, expected: "logits without a bias", got: "a constant added to them",
        remedy: "models of the sigmoid loss (SigLIP, logit_bias) are not supported")
    }
    guard case .product(let a, let b)? = computation(inner) else {
      throw mismatch(inner, expected: "the product of image and text features")
    }
    let first = collectingFactors(a, &scales)
    let second = collectingFactors(b, &scales)
    guard let isImage = expression(first)?.dependsOnImage,
      let isText = expression(first)?.dependsOnText, isImage != isText
    else {
      throw mismatch(inner, expected: "the product of image and text features")
    }
    let (image, text) = isImage ? (first, second) : (second, first)
    guard coversBatch(image), coversBatch(text) else {
      throw mismatch(inner, expected: "the features of all images and all captions")
    }
    // Factors of 1 change nothing, unless there is no other.
    let effective = scales.filter { reader.uniform($0) != 1 }
    guard effective.count <= 1 else {
      throw mismatch(value, expected: "one scale of the logits", got: "\(effective.count)")
    }
    var scale: [ParameterPiece] = []
    if let factor = effective.first ?? scales.first {
      scale.append(try matchScale(factor, at: inner))
    }
    let unitImage = matchNormalized(image)
    let unitText = matchNormalized(text)
    let isPlain = scale.isEmpty || unitImage == nil || unitText == nil
    return LogitsMatch(
      image: unitImage ?? image, text: unitText ?? text, scale: scale,
      kind: isSoftmax ? .probabilities : isPlain ? .products : .logits)
  }

  private func collectingFactors(_ value: GraphValue, _ scales: inout [GraphValue]) -> GraphValue {
    var value = value
    while case .binary(.multiply, let a, let b)? = computation(value),
      let factor = a.constant != nil ? a : b.constant != nil ? b : nil, factor.count == 1
    {
      scales.append(factor)
      value = compose(value, a.constant != nil ? b : a)
    }
    return value
  }

  /// The temperature behind a factor: the parameter's exponential, computed in the graph or not.
  private func matchScale(
    _ value: GraphValue, at place: GraphValue?
  ) throws(CLIPError) -> ParameterPiece {
    guard let number = reader.scalar(value), number > 0, number.isFinite,
      let index = value.constant
    else {
      throw CLIPError(
        .unsupported,
        "'\(model.path)': scale of the logits is not positive; expected exp(logit_scale), got "
          + "\(reader.scalar(value) ?? .nan)")
    }
    let source = reader.constants[index]
    if case .exponential(let operand)? = source.derivation {
      return ParameterPiece(rows: 0..<1, value: operand, transform: .none)
    }
    return ParameterPiece(rows: 0..<1, value: value, transform: .exponential)
  }

  /// The temperature in all its places, which must agree; `nil` when there is none.
  func matchTemperature(_ places: [ParameterPiece]) throws(CLIPError) -> MatchedParameter? {
    guard let first = places.first else { return nil }
    var parameter = MatchedParameter("logit_scale", shape: [], pieces: [first])
    parameter.copies = Array(places.dropFirst())
    let factors = places.map { place in
      let number = reader.scalar(place.value) ?? .nan
      return place.transform == .exponential ? number : exp(number)
    }
    guard factors.allSatisfy({ isClose($0, factors[0]) }) else {
      throw CLIPError(
        .unsupported,
        "'\(model.path)': outputs have different scales of the logits; expected one, got "
          + "\(factors)")
    }
    return parameter
  }

  /// An output that depends on no input can only be the temperature.
  func matchConstantOutput(
    _ value: GraphValue, _ name: String
  ) throws(CLIPError) -> ParameterPiece {
    guard value.count == 1, !name.contains("bias") else {
      throw CLIPError(
        .unsupported,
        "'\(model.path)': output '\(name)' is a constant of shape \(value.dimensions); expected "
          + "features, logits or the scale of the logits; models of the sigmoid loss (SigLIP, "
          + "logit_bias) are not supported")
    }
    return try matchScale(value, at: nil)
  }
}
