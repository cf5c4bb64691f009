internal import ONNXGraphs

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
  /// A softmax of logits.
  case probabilities
  /// Products of features that are not logits: without a scale, or not L2-normalized.
  case products
  case logitScale
  /// A tensor inside a tower, or made of one.
  case hidden

  /// The kind in words.
  var words: String {
    switch self {
    case .imageFeatures(let normalized):
      normalized ? "image features, L2-normalized" : "image features"
    case .textFeatures(let normalized):
      normalized ? "text features, L2-normalized" : "text features"
    case .logits: "logits"
    case .probabilities: "probabilities"
    case .products: "products of features"
    case .logitScale: "scale of the logits"
    case .hidden: "tensor inside a tower"
    }
  }
}

extension GraphMatcher {
  /// What the outputs of a graph are, before their towers are recognised.
  private struct Outputs {
    var kinds: [String: OutputKind] = [:]
    var imageFeatures: [(output: String, value: GraphValue)] = []
    var textFeatures: [(output: String, value: GraphValue)] = []
    var scales: [ParameterPiece] = []
    var products: [(output: String, match: LogitsMatch)] = []
  }

  /// Recognises the model behind the graph's outputs.
  func match() throws(CLIPError) -> CLIPMatch {
    var found = try matchOutputs()
    let image = try first(of: found.imageFeatures, &found.kinds) { (value) throws(CLIPError) in
      try matchVision(value)
    }
    let text = try first(of: found.textFeatures, &found.kinds) { (value) throws(CLIPError) in
      try matchText(value)
    }
    for (output, match) in found.products {
      if let image, let text, isSame(match.image, image.features), isSame(match.text, text.features)
      {
        found.scales += match.scale
      } else {
        found.kinds[output] = .hidden
      }
    }
    let embedDim = try commonWidth(image?.match.tower, text?.match.tower)
    var parameters = (text?.match.tower.parameters ?? []) + (image?.match.tower.parameters ?? [])
    if let temperature = try matchTemperature(found.scales) { parameters.append(temperature) }
    parameters = parameters.map(resolvingConcatenations)
    return CLIPMatch(
      configuration: CLIPConfiguration(
        embedDim: embedDim, vision: image?.match.configuration,
        text: text?.match.configuration),
      parameters: parameters, outputs: found.kinds)
  }

  /// Tells features, products of features and constants among the graph's outputs.
  private func matchOutputs() throws(CLIPError) -> Outputs {
    var found = Outputs()
    for output in model.outputs {
      guard let value = reader.values[output.name] else { continue }
      guard let expression = expression(value) else {
        found.scales.append(try matchConstantOutput(value, output.name))
        found.kinds[output.name] = .logitScale
        continue
      }
      switch (expression.dependsOnImage, expression.dependsOnText) {
      case (true, true):
        let match = try matchLogits(value)
        found.imageFeatures.append((output.name, match.image))
        found.textFeatures.append((output.name, match.text))
        found.kinds[output.name] = match.kind
        found.products.append((output.name, match))
      case (let isImage, _):
        if value.rank != 2 || value.layout.axes[0].contains(where: { $0.label != .batch })
          || !coversBatch(value)
        {
          found.kinds[output.name] = .hidden
          continue
        }
        let inner = matchNormalized(value)
        found.kinds[output.name] =
          isImage
          ? .imageFeatures(normalized: inner != nil) : .textFeatures(normalized: inner != nil)
        if isImage {
          found.imageFeatures.append((output.name, inner ?? value))
        } else {
          found.textFeatures.append((output.name, inner ?? value))
        }
      }
    }
    return found
  }

  /// Whether a value has something of every image or caption.
  func coversBatch(_ value: GraphValue) -> Bool {
    let isImage = expression(value)?.dependsOnImage ?? false
    guard let name = isImage ? reader.imageInput : reader.tokensInput,
      let input = reader.values[name]
    else { return false }
    return isWhole(value, .batch, of: input.layout)
  }

  /// E, the width of the features of the towers that there are.
  private func commonWidth(_ image: TowerMatch?, _ text: TowerMatch?) throws(CLIPError) -> Int {
    guard let embedDim = image?.embedDim ?? text?.embedDim else {
      throw CLIPError(
        .unsupported,
        "'\(model.path)': graph has no image or text features; expected an output [n, E] that "
          + "depends on images or token ids, got outputs \(model.outputs.map(\.name))")
    }
    if let image, let text, image.embedDim != text.embedDim {
      throw CLIPError(
        .unsupported,
        "'\(model.path)': towers have different feature widths; expected one, got "
          + "\(image.embedDim) and \(text.embedDim)")
    }
    return embedDim
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
    of candidates: [(output: String, value: GraphValue)], _ outputs: inout [String: OutputKind],
    _ body: (GraphValue) throws(CLIPError) -> Match
  ) throws(CLIPError) -> (match: Match, features: GraphValue)? {
    var failure: CLIPError?
    var result: (match: Match, features: GraphValue)?
    for (output, value) in candidates {
      if let result, isSame(result.features, value) { continue }
      do throws(CLIPError) {
        let found = try body(value)
        guard result == nil else {
          throw mismatch(value, expected: "one tower of each kind", got: "a second one")
        }
        result = (found, value)
      } catch {
        // Outputs such as `pooler_output` are not features; they matter only without features.
        if failure == nil { failure = error }
        outputs[output] = .hidden
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
}
