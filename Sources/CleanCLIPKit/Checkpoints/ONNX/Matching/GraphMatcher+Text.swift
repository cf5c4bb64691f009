internal import ONNXGraphs

/// A text tower with its configuration.
struct TextMatch {
  var tower: TowerMatch
  let configuration: TextConfiguration
}

extension GraphMatcher {
  /// Recognises the text tower that makes `features` [m, E], not normalised.
  func matchText(_ features: GraphValue) throws(CLIPError) -> TextMatch {
    switch computation(features) {
    case .gather?, .gatherND?, .layerNorm?:
      throw mismatch(
        features, expected: "the projection of text features into the joint space",
        remedy: "export the model with its projection (CLIPTextModelWithProjection)")
    default: break
    }
    let projection = try matchLinear(features, "the projection of text features")
    guard projection.bias == nil else {
      throw mismatch(
        features, expected: "a projection of text features without bias", got: "one with a bias",
        remedy: "text towers of other families (SigLIP, BERT) are not supported")
    }
    let last: NormMatch
    let stream: GraphValue
    let endOfText: EndOfText
    if let norm = try optionalNorm(projection.input) {
      last = norm
      (stream, endOfText) = try matchEndOfText(norm.input)
    } else {
      let (picked, end) = try matchEndOfText(projection.input)
      last = try matchNorm(picked, "the last layer normalisation of the text tower")
      (stream, endOfText) = (last.input, end)
    }
    let (blocks, input) = try matchBlocks(stream, "the text tower")
    let transformer = try configuration(
      blocks, norms: [last], mask: .causal, at: input, "the text tower")
    let (positions, table) = try matchEmbeddings(input, width: transformer.width)
    try requireUnscaled([projection], at: projection.input)
    var tower = TowerMatch()
    tower.embedDim = projection.weight.dimensions[1]
    tower.add("positional_embedding", positions)
    tower.add("text_projection", projection.weight)
    try tower.add(blocks, prefix: "", at: self)
    tower.add("token_embedding.weight", table)
    tower.add("ln_final", last)
    return TextMatch(
      tower: tower,
      configuration: TextConfiguration(
        contextLength: positions.dimensions[0], vocabularySize: table.dimensions[0],
        transformer: transformer,
        endOfText: endOfText))
  }

  /// Recognises the sum of token embeddings and their positions, which the first block reads.
  private func matchEmbeddings(
    _ input: GraphValue, width: Int
  ) throws(CLIPError) -> (positions: GraphValue, table: GraphValue) {
    guard case .binary(.add, let a, let b)? = computation(input),
      (a.constant == nil) != (b.constant == nil),
      let positions = aligned(a.constant != nil ? a : b, to: input, [.token, .feature])
    else {
      throw mismatch(input, expected: "the sum of token embeddings and their positions")
    }
    let embedded = compose(input, a.constant != nil ? b : a)
    guard case .embedding(let ids, let table)? = computation(embedded),
      case .tokens? = computation(ids), let length = ids.layout.factors(.token).first?.extent
    else {
      throw mismatch(embedded, expected: "embeddings of the token ids")
    }
    guard positions.dimensions == [length, width], table.dimensions[1] == width else {
      throw mismatch(
        input, expected: "positions [\(length), \(width)]", got: "\(positions.dimensions)")
    }
    return (positions, table)
  }

  /// Recognises the choice of each caption's end-of-text token; returns all tokens and the rule.
  private func matchEndOfText(
    _ value: GraphValue
  ) throws(CLIPError) -> (stream: GraphValue, endOfText: EndOfText) {
    switch computation(value) {
    case .gatherND(let data, let indices)?:
      guard case .concatenation(let columns, _)? = computation(indices), columns.count == 2,
        data.rank == 3
      else {
        throw mismatch(indices, expected: "rows of caption and token numbers")
      }
      let labels: [AxisLabel] = [.batch, .token]
      for (axis, (column, label)) in zip(columns, labels).enumerated() {
        guard data.layout.axes[axis].allSatisfy({ $0.label == label }) else {
          throw mismatch(data, expected: "tokens [captions, tokens, width]")
        }
        if label == .batch {
          try requireRange(column, data.layout.factors(.batch), step: 1, at: indices)
        }
      }
      return (data, try matchPosition(columns[1]))
    case .gather(let data, let indices, let axis)?:
      let factors = data.layout.axes[axis]
      if factors.allSatisfy({ $0.label == .token }), data.rank == 2 {
        return (data, try matchPosition(indices))
      }
      guard factors.map(\.label) == [.batch, .token] || factors.map(\.label) == [.token],
        case .binary(.add, let a, let b)? = computation(indices),
        let start = a.constant != nil ? a : b.constant != nil ? b : nil
      else {
        throw mismatch(indices, expected: "numbers of tokens in all captions, concatenated")
      }
      try requireRange(
        start, data.layout.factors(.batch), step: factors.last?.extent ?? 1, at: indices)
      return (data, try matchPosition(a.constant != nil ? b : a))
    case .reduction?:
      throw mismatch(
        value, expected: "the token at the end of the text",
        remedy: "text towers that average their tokens are not supported")
    default:
      throw mismatch(
        value, expected: "the token at the end of the text, chosen by its position",
        remedy: "text towers that read a fixed token (SigLIP, BERT) are not supported")
    }
  }

  private func requireRange(
    _ value: GraphValue, _ captions: [StrideFactor], step: Int, at place: GraphValue
  ) throws(CLIPError) {
    guard value.constant != nil else {
      throw mismatch(place, expected: "the numbers of the captions")
    }
    let numbers = try reader.numbers(value, node(of: place)).integers
    guard numbers == (0..<TensorLayout.extent(captions)).map({ $0 * step }) else {
      throw mismatch(
        place, expected: "every caption's own token", got: "captions \(numbers.prefix(8))")
    }
  }

  /// The rule behind token numbers: the highest id, or the first of one id.
  private func matchPosition(_ value: GraphValue) throws(CLIPError) -> EndOfText {
    var value = value
    while case .binary(.add, let a, let b)? = computation(value),
      let zero = reader.uniform(a) ?? reader.uniform(b), zero == 0
    {
      value = a.constant != nil ? b : a
    }
    guard case .argMax(let ids)? = computation(value) else {
      throw mismatch(value, expected: "the position of the end-of-text token")
    }
    switch computation(ids) {
    case .tokens?: return .highestID
    case .binary(.equal, let a, let b)?:
      guard case .tokens? = computation(a.constant != nil ? b : a),
        let id = reader.uniform(a) ?? reader.uniform(b), let id = Int32(exactly: id)
      else {
        throw mismatch(ids, expected: "a comparison of token ids with one id")
      }
      return .id(id)
    default:
      throw mismatch(ids, expected: "token ids, or where they equal the end-of-text id")
    }
  }
}
