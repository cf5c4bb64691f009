internal import ONNXGraphs

/// A linear layer: y = scale · (x · weight + bias).
struct LinearMatch {
  let input: GraphValue
  /// [in, out].
  let weight: GraphValue
  /// [out].
  let bias: GraphValue?
  let scale: Double
}

/// A layer normalisation over the features.
struct NormMatch {
  let input: GraphValue
  let weight: GraphValue
  let bias: GraphValue
  let epsilon: Float
}

extension GraphMatcher {
  /// Takes constants off a sum: returns the computed term and the vectors over the features.
  func strippingBias(
    _ value: GraphValue
  ) throws(CLIPError) -> (value: GraphValue, biases: [GraphValue]) {
    var value = value
    var biases: [GraphValue] = []
    while case .binary(.add, let a, let b)? = computation(value),
      let constant = a.constant != nil ? a : b.constant != nil ? b : nil
    {
      guard let bias = aligned(constant, to: value, [.feature]) else { break }
      biases.append(bias)
      value = compose(value, a.constant != nil ? b : a)
    }
    return (value, biases)
  }

  /// Takes factors off a product: returns the other term and the product of the factors.
  func strippingScale(_ value: GraphValue) -> (value: GraphValue, scale: Double) {
    var value = value
    var scale = 1.0
    while case .binary(let operation, let a, let b)? = computation(value) {
      if operation == .multiply, let factor = reader.uniform(a) {
        scale *= factor
        value = compose(value, b)
      } else if operation == .multiply, let factor = reader.uniform(b) {
        scale *= factor
        value = compose(value, a)
      } else if operation == .divide, let factor = reader.uniform(b) {
        scale /= factor
        value = compose(value, a)
      } else {
        break
      }
    }
    return (value, scale)
  }

  /// Whether a value is a linear layer, with or without bias.
  func isLinear(_ value: GraphValue) -> Bool {
    var value = value
    while case .binary(.add, let a, let b)? = computation(value),
      a.constant != nil || b.constant != nil
    {
      value = a.constant != nil ? b : a
    }
    if case .linear? = computation(value) { return true }
    return false
  }

  /// Recognises a linear layer, of which `value` may be a part of the outputs.
  func matchLinear(
    _ value: GraphValue, _ role: String, extraBiases: [GraphValue] = []
  ) throws(CLIPError) -> LinearMatch {
    let (scaled, scale) = strippingScale(value)
    var (inner, biases) = try strippingBias(scaled)
    biases += extraBiases
    guard case .linear(let input, let weight)? = computation(inner),
      let expression = expression(inner)
    else {
      throw mismatch(inner, expected: role)
    }
    guard let last = input.layout.axes.last, last.count == 1, last[0].label == .feature,
      last[0].stride == 1
    else {
      throw mismatch(
        inner, expected: "\(role) of features in their order",
        got: "an axis of \(GraphReader.text(input.layout.axes.last ?? []))")
    }
    guard biases.count <= 1 else {
      throw mismatch(value, expected: "\(role) with one bias", got: "\(biases.count) constants")
    }
    let start = inner.layout.offset(.feature) - expression.layout.offset(.feature)
    guard
      let layout = restrict(
        weight.layout, axis: 1, start: start, inner.layout.factors(.feature))
    else {
      throw mismatch(inner, expected: "\(role) with a range of outputs")
    }
    var result = compose(inner, input)
    // The operand is all of the input's features, whichever outputs were asked for.
    result.layout.offsets[AxisLabel.feature.rawValue] = input.layout.offset(.feature)
    let rest = inner.layout.axes.map { axis in axis.filter { $0.label != .feature } }
    result.layout = TensorLayout(axes: rest + [last], offsets: result.layout.offsets)
    return LinearMatch(
      input: result, weight: weight.with(layout), bias: biases.first, scale: scale)
  }

  /// The bias of a layer; zeros where an optimizer removed them, which then have no tensor.
  func bias(of linear: LinearMatch) -> GraphValue {
    if let bias = linear.bias { return bias }
    let count = linear.weight.dimensions[1]
    return reader.constant(Numbers([Double](repeating: 0, count: count), [count]), .f32)
  }

  /// Recognises a layer normalisation, as one operator or in its parts.
  func matchNorm(_ value: GraphValue, _ role: String) throws(CLIPError) -> NormMatch {
    if let norm = try optionalNorm(value) { return norm }
    throw mismatch(value, expected: role)
  }

  /// As `matchNorm`; `nil` when the value is something else.
  func optionalNorm(_ value: GraphValue) throws(CLIPError) -> NormMatch? {
    if case .layerNorm(let input, let weight, let bias, let epsilon)? = computation(value) {
      guard let bias else {
        throw mismatch(value, expected: "a layer normalisation with a bias", got: "one without")
      }
      let operand = compose(value, input)
      guard
        input.layout.endsWithFeatures, isWhole(operand, .feature, of: input.layout),
        let weight = vector(weight), let bias = vector(bias)
      else { return nil }
      return NormMatch(input: operand, weight: weight, bias: bias, epsilon: epsilon)
    }
    // γ · (x - mean) / sqrt(variance + ε) + β
    guard case .binary(.add, let a, let b)? = computation(value),
      (a.constant == nil) != (b.constant == nil),
      let bias = aligned(a.constant != nil ? a : b, to: value, [.feature])
    else { return nil }
    let scaled = compose(value, a.constant != nil ? b : a)
    guard case .binary(.multiply, let c, let d)? = computation(scaled),
      (c.constant == nil) != (d.constant == nil),
      let weight = aligned(c.constant != nil ? c : d, to: scaled, [.feature]), weight.count > 1
    else { return nil }
    let standardized = compose(scaled, c.constant != nil ? d : c)
    guard let (input, epsilon) = matchStandardized(standardized) else { return nil }
    return NormMatch(input: input, weight: weight, bias: bias, epsilon: Float(epsilon))
  }

  private func vector(_ constant: GraphValue) -> GraphValue? {
    constant.layout.reshaped(to: [constant.count]).map { constant.with($0) }
  }

  /// Whether a value has all places of an index that `whole` has.
  func isWhole(_ value: GraphValue, _ label: AxisLabel, of whole: TensorLayout) -> Bool {
    value.layout.factors(label) == whole.factors(label)
      && value.layout.offset(label) == whole.offset(label)
  }

  /// (x - mean(x)) / sqrt(mean((x - mean(x))²) + ε) over the last axis.
  private func matchStandardized(_ value: GraphValue) -> (input: GraphValue, epsilon: Double)? {
    let difference: GraphValue
    var root: GraphValue
    switch computation(value) {
    case .binary(.divide, let a, let b)?:
      difference = compose(value, a)
      root = compose(value, b)
    case .binary(.multiply, let a, let b)?:
      guard case .unary(.reciprocal, let inner)? = computation(b) else { return nil }
      difference = compose(value, a)
      root = inner
    default: return nil
    }
    if case .unary(.sqrt, let inner)? = computation(root) {
      root = inner
    } else if case .binary(.power, let inner, let exponent)? = computation(root),
      reader.scalar(exponent) == 0.5
    {
      root = inner
    } else {
      return nil
    }
    guard case .binary(.add, let p, let q)? = computation(root),
      let epsilon = reader.scalar(p) ?? reader.scalar(q),
      case .reduction(.mean, let squares, let meanAxes)? = computation(p.constant != nil ? q : p),
      meanAxes == [squares.rank - 1], squares.layout.endsWithFeatures, let base = squared(squares),
      base.origin == difference.origin,
      case .binary(.subtract, let input, let center)? = computation(difference),
      case .reduction(.mean, let averaged, let axes)? = computation(center),
      averaged.origin == input.origin, averaged.layout == input.layout,
      input.layout.endsWithFeatures, axes == [input.rank - 1]
    else { return nil }
    let operand = compose(difference, input)
    return isWhole(operand, .feature, of: input.layout) ? (operand, epsilon) : nil
  }

  /// x of x² as a power or a product.
  func squared(_ value: GraphValue) -> GraphValue? {
    switch computation(value) {
    case .binary(.power, let base, let exponent)? where reader.scalar(exponent) == 2: base
    case .binary(.multiply, let a, let b)? where isSame(a, b): a
    default: nil
    }
  }
}
