internal import ONNXGraphs

/// What an attention lets a token see.
enum AttentionMask: Equatable {
  case none
  case causal
}

/// Scaled dot-product attention; operands have their tokens and heads in any arrangement.
struct AttentionMatch {
  let query: GraphValue
  let key: GraphValue
  let value: GraphValue
  let scale: Double
  let mask: AttentionMask
  /// H and D/H.
  let heads: Int
  let headWidth: Int
}

/// The projections of a self-attention, each [in, out] with its bias.
struct SelfAttentionMatch {
  let query: LinearMatch
  let key: LinearMatch
  let value: LinearMatch
  let heads: Int
  let mask: AttentionMask
}

extension GraphMatcher {
  /// Whether a value is the result of an attention, seen from the layer behind it.
  func isAttention(_ value: GraphValue) -> Bool {
    switch computation(value) {
    case .attention?, .product?: true
    default: false
    }
  }

  /// Recognises softmax(scale · q · kᵀ + mask) · v.
  func matchAttention(_ result: GraphValue) throws(CLIPError) -> AttentionMatch {
    guard let whole = expression(result) else {
      throw mismatch(result, expected: "an attention")
    }
    let token = result.layout.offset(.token) - whole.layout.offset(.token)
    switch whole.computation {
    case .attention(let attention):
      var mask = attention.isCausal ? AttentionMask.causal : .none
      if let given = attention.mask {
        guard mask == .none else {
          throw mismatch(result, expected: "one mask", got: "is_causal and a mask")
        }
        mask = try readMask(given, at: result)
      }
      return try match(
        result, attention.query, attention.key, attention.value, scale: attention.scale,
        mask: mask, token: token)
    case .product(let weights, let value):
      guard case .softmax(let scores)? = computation(weights), isRearranged(weights) else {
        throw mismatch(weights, expected: "a softmax of attention scores")
      }
      return try match(result, scores, value, token: token)
    default:
      throw mismatch(result, expected: "an attention")
    }
  }

  /// Whether a value has every element of its computation.
  private func isRearranged(_ value: GraphValue) -> Bool {
    expression(value).map { $0.layout.count == value.count } ?? false
  }

  private func match(
    _ result: GraphValue, _ scores: GraphValue, _ value: GraphValue, token: Int
  ) throws(CLIPError) -> AttentionMatch {
    var scores = scores
    var scale = 1.0
    var mask: AttentionMask?
    while true {
      guard isRearranged(scores), let keys = scores.layout.axes.last,
        keys.allSatisfy({ $0.label == .key }), keys.count == scores.layout.factors(.key).count
      else {
        throw mismatch(
          scores, expected: "attention scores, the tokens attended to on the last axis")
      }
      switch computation(scores) {
      case .product(let query, let transposedKey)?:
        let (q, first) = strippingScale(query)
        let (k, second) = strippingScale(transposedKey)
        let key = k.with(k.layout.swapping(k.rank - 2, k.rank - 1))
        return try match(
          result, q, key, value, scale: scale * first * second, mask: mask ?? .none, token: token)
      case .binary(.add, let a, let b)? where a.constant != nil || b.constant != nil:
        let constant = a.constant != nil ? a : b
        scores = a.constant != nil ? b : a
        let found = try readMask(constant, at: scores)
        guard mask == nil || mask == AttentionMask.none || found == .none else {
          throw mismatch(scores, expected: "one mask", got: "two")
        }
        mask = found == .none ? mask : found
      case .binary(.multiply, _, _)?, .binary(.divide, _, _)?:
        let (inner, factor) = strippingScale(scores)
        guard inner.origin != scores.origin else {
          throw mismatch(scores, expected: "attention scores")
        }
        scale *= factor
        scores = inner
      default:
        throw mismatch(scores, expected: "attention scores: a product of queries and keys")
      }
    }
  }

  private func match(
    _ result: GraphValue, _ query: GraphValue, _ key: GraphValue, _ value: GraphValue,
    scale: Double, mask: AttentionMask, token: Int
  ) throws(CLIPError) -> AttentionMatch {
    let width = query.dimensions.last ?? 0
    for operand in [query, key, value] {
      // Heads of one feature leave no stride factor.
      let head = [StrideFactor(label: .feature, stride: 1, extent: width)]
      guard width > 0, operand.layout.axes.last == (width == 1 ? [] : head),
        operand.layout.factors(.feature).allSatisfy({ $0 == head[0] || $0.stride >= width })
      else {
        throw mismatch(operand, expected: "heads of neighbouring features in an attention")
      }
    }
    let features = query.layout.factors(.feature).reduce(1) { $0 * $1.extent }
    let heads = features / width
    guard key.layout.factors(.feature).reduce(1, { $0 * $1.extent }) == features,
      value.layout.factors(.feature).reduce(1, { $0 * $1.extent }) == features
    else {
      throw mismatch(result, expected: "as many heads in queries, keys and values")
    }
    var query = query
    if result.layout.factors(.token).isEmpty, !query.layout.factors(.token).isEmpty {
      // Only one token's result is asked for, so only its query matters.
      query.layout.offsets[AxisLabel.token.rawValue] += token
      query.layout = TensorLayout(
        axes: query.layout.axes.map { $0.filter { $0.label != .token } },
        offsets: query.layout.offsets)
    }
    return AttentionMatch(
      query: query, key: key, value: value, scale: scale, mask: mask, heads: heads,
      headWidth: width)
  }

  /// Reads a mask that is added to scores [..., tokens, tokens].
  private func readMask(
    _ mask: GraphValue, at scores: GraphValue
  ) throws(CLIPError) -> AttentionMask {
    let numbers = try reader.numbers(mask, node(of: scores))
    let values = numbers.floats
    if values.allSatisfy({ $0 == 0 }) { return .none }
    guard numbers.dimensions.count >= 2, let columns = numbers.dimensions.last,
      numbers.dimensions[numbers.dimensions.count - 2] == columns
    else {
      throw mismatch(scores, expected: "a mask [tokens, tokens]", got: "\(numbers.dimensions)")
    }
    for (index, value) in values.enumerated() {
      let row = index / columns % columns
      let column = index % columns
      guard column > row ? value <= -1e4 : value == 0 else {
        throw mismatch(
          scores, expected: "a causal mask: 0 up to each token, minus infinity behind it",
          got: "\(value) at row \(row), column \(column)",
          remedy: "only causal text towers are supported")
      }
    }
    return columns > 1 ? .causal : .none
  }

  /// Recognises the projections of an attention and checks its scale.
  func matchSelfAttention(
    _ result: GraphValue, _ role: String
  ) throws(CLIPError) -> SelfAttentionMatch {
    let attention = try matchAttention(result)
    let query = try matchLinear(attention.query, "the query projection of \(role)")
    let key = try matchLinear(attention.key, "the key projection of \(role)")
    let value = try matchLinear(attention.value, "the value projection of \(role)")
    let scale = attention.scale * query.scale * key.scale
    let expected = 1 / Double(attention.headWidth).squareRoot()
    guard abs(scale - expected) <= 3 * tolerance * expected, isClose(value.scale, 1) else {
      throw mismatch(
        result, expected: "scores scaled by \(expected), 1/√\(attention.headWidth)",
        got: "\(scale)")
    }
    guard query.input.origin == key.input.origin, key.input.origin == value.input.origin,
      let whole = expression(key.input)?.layout,
      [key, value].allSatisfy({ isWhole($0.input, .token, of: whole) })
    else {
      throw mismatch(result, expected: "queries, keys and values of one tensor")
    }
    return SelfAttentionMatch(
      query: query, key: key, value: value, heads: attention.heads, mask: attention.mask)
  }
}
