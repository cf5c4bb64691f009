/// Everything that was recognised in a graph.
struct CLIPMatch {
  var configuration: CLIPConfiguration
  var parameters: [MatchedParameter]
  /// What each output of the graph is.
  var outputs: [String: OutputKind]
}

/// What an output of a graph is.
enum OutputKind: Equatable, Sendable {
  case imageFeatures(normalized: Bool)
  case textFeatures(normalized: Bool)
  case logits
  case logitScale
  /// A tensor inside a tower.
  case hidden

  /// The kind in words.
  var words: String {
    switch self {
    case .imageFeatures(let normalized):
      normalized ? "image features, unit length" : "image features"
    case .textFeatures(let normalized): normalized ? "text features, unit length" : "text features"
    case .logits: "logits"
    case .logitScale: "scale of the logits"
    case .hidden: "tensor inside a tower"
    }
  }
}

extension GraphMatcher {
  /// Recognises the model behind the graph's outputs.
  func match() throws(CLIPError) -> CLIPMatch {
    var outputs: [String: OutputKind] = [:]
    var imageFeatures: [GraphValue] = []
    var textFeatures: [GraphValue] = []
    var scales: [ParameterPiece] = []
    for output in model.outputs {
      guard let value = reader.values[output.name] else { continue }
      guard let expression = expression(value) else {
        scales.append(try matchConstantOutput(value, output.name))
        outputs[output.name] = .logitScale
        continue
      }
      switch (expression.dependsOnImage, expression.dependsOnText) {
      case (true, true):
        let logits = try matchLogits(value)
        imageFeatures.append(logits.image)
        textFeatures.append(logits.text)
        scales += logits.scale
        outputs[output.name] = .logits
      case (let isImage, _):
        if value.rank != 2 || value.layout.axes[0].contains(where: { $0.label != .batch }) {
          outputs[output.name] = .hidden
          continue
        }
        let inner = matchNormalized(value)
        outputs[output.name] =
          isImage
          ? .imageFeatures(normalized: inner != nil) : .textFeatures(normalized: inner != nil)
        if isImage {
          imageFeatures.append(inner ?? value)
        } else {
          textFeatures.append(inner ?? value)
        }
      }
    }
    let vision = try first(of: imageFeatures, &outputs) { (value) throws(CLIPError) in
      try matchVision(value)
    }
    let text = try first(of: textFeatures, &outputs) { (value) throws(CLIPError) in
      try matchText(value)
    }
    guard let embedDim = vision?.tower.embedDim ?? text?.tower.embedDim else {
      throw CLIPError(
        .unsupported,
        "'\(model.path)': graph has no image or text features; expected an output [n, E] that "
          + "depends on pictures or token ids, got outputs \(model.outputs.map(\.name))")
    }
    if let vision, let text, vision.tower.embedDim != text.tower.embedDim {
      throw CLIPError(
        .unsupported,
        "'\(model.path)': towers have different feature widths; expected one, got "
          + "\(vision.tower.embedDim) and \(text.tower.embedDim)")
    }
    var parameters = (text?.tower.parameters ?? []) + (vision?.tower.parameters ?? [])
    if let scale = scales.first {
      var parameter = MatchedParameter("logit_scale", shape: [], pieces: [scale])
      parameter.copies = Array(scales.dropFirst())
      parameters.append(parameter)
    }
    parameters = parameters.map(resolvingConcatenations)
    return CLIPMatch(
      configuration: CLIPConfiguration(
        embedDim: embedDim, vision: vision?.configuration, text: text?.configuration),
      parameters: parameters, outputs: outputs)
  }

  /// Gives pieces of joined constants the tensors that they come from, where those can be told.
  private func resolvingConcatenations(_ parameter: MatchedParameter) -> MatchedParameter {
    MatchedParameter(
      parameter.name, shape: parameter.shape,
      pieces: parameter.pieces.map { piece in
        ParameterPiece(
          rows: piece.rows, value: reader.resolvingConcatenation(piece.value) ?? piece.value,
          transform: piece.transform)
      }, copies: parameter.copies)
  }

  /// The first tower among the values; others must be tensors inside it.
  private func first<Match>(
    of values: [GraphValue], _ outputs: inout [String: OutputKind],
    _ body: (GraphValue) throws(CLIPError) -> Match
  ) throws(CLIPError) -> Match? {
    var failure: CLIPError?
    var result: Match?
    var matched: GraphValue?
    for value in values {
      if let matched, isSame(matched, value) { continue }
      do throws(CLIPError) {
        let found = try body(value)
        guard result == nil else {
          throw mismatch(value, expected: "one tower of each kind", got: "a second one")
        }
        result = found
        matched = value
      } catch {
        // Outputs such as `pooler_output` are not features; they matter only without features.
        if failure == nil { failure = error }
        for output in model.outputs
        where reader.values[output.name].map({ isSame($0, value) }) ?? false {
          outputs[output.name] = .hidden
        }
      }
    }
    if let failure, result == nil { throw failure }
    return result
  }

  /// The features behind a division by their length; `nil` when there is none.
  func matchNormalized(_ value: GraphValue) -> GraphValue? {
    let numerator: GraphValue
    var norm: GraphValue
    switch computation(value) {
    case .binary(.divide, let a, let b)?:
      numerator = a
      norm = b
    case .binary(.multiply, let a, let b)?:
      if case .unary(.reciprocal, let inner)? = computation(b) {
        (numerator, norm) = (a, inner)
      } else if case .unary(.reciprocal, let inner)? = computation(a) {
        (numerator, norm) = (b, inner)
      } else {
        return nil
      }
    default: return nil
    }
    // Guards against division by zero change nothing for features that are not zero.
    while true {
      switch computation(norm) {
      case .clip(let inner, let low, let high)? where low <= 1e-4 && high == .infinity:
        norm = inner
      case .binary(.maximum, let a, let b)?:
        guard let low = reader.uniform(a) ?? reader.uniform(b), low <= 1e-4 else { return nil }
        norm = a.constant != nil ? b : a
      case .binary(.add, let a, let b)?:
        guard let low = reader.uniform(a) ?? reader.uniform(b), abs(low) <= 1e-6 else { return nil }
        norm = a.constant != nil ? b : a
      default:
        guard let features = euclideanNorm(norm), features.origin == numerator.origin else {
          return nil
        }
        return compose(value, numerator)
      }
    }
  }

  /// The tensor whose rows a value has the lengths of.
  private func euclideanNorm(_ value: GraphValue) -> GraphValue? {
    let sum: GraphValue
    switch computation(value) {
    case .reduction(.euclideanNorm, let inner, let axes)?:
      return axes == [inner.rank - 1] ? inner : nil
    case .unary(.sqrt, let inner)?: sum = inner
    case .binary(.power, let inner, let exponent)? where reader.uniform(exponent) == 0.5:
      sum = inner
    default: return nil
    }
    switch computation(sum) {
    case .reduction(.squareSum, let inner, let axes)?:
      return axes == [inner.rank - 1] ? inner : nil
    case .reduction(.sum, let squares, let axes)?:
      return axes == [squares.rank - 1] ? squared(squares) : nil
    default: return nil
    }
  }

  // MARK: - Logits

  /// Recognises scale · image features · text featuresᵀ in either order.
  private func matchLogits(
    _ value: GraphValue
  ) throws(CLIPError) -> (image: GraphValue, text: GraphValue, scale: [ParameterPiece]) {
    var scales: [GraphValue] = []
    let inner = collectingFactors(value, &scales)
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
    var pieces: [ParameterPiece] = []
    for scale in scales where reader.uniform(scale) != 1 {
      pieces.append(try matchScale(scale, at: inner))
    }
    guard pieces.count <= 1 else {
      throw mismatch(value, expected: "one scale of the logits", got: "\(pieces.count)")
    }
    return (matchNormalized(image) ?? image, matchNormalized(text) ?? text, pieces)
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
    if let (operation, operands) = source.derivation, operation == "Exp",
      let operand = operands.first
    {
      return ParameterPiece(rows: 0..<1, value: operand, transform: .none)
    }
    return ParameterPiece(rows: 0..<1, value: value, transform: .exponential)
  }

  /// An output that depends on no input can only be the temperature.
  private func matchConstantOutput(
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
