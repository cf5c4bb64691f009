internal import ONNXGraphs

extension GraphMatcher {
  /// Recognises the activation of an MLP and returns its argument; `nil` for other functions.
  func matchActivation(
    _ value: GraphValue
  ) throws(CLIPError) -> (activation: Activation, input: GraphValue)? {
    switch computation(value) {
    case .activation(let activation, let input)?:
      return (Activation(activation), compose(value, input))
    case .unary(.relu, _)?, .unary(.tanh, _)?, .unary(.sigmoid, _)?:
      throw mismatch(
        value, expected: "QuickGELU or GELU between the linear layers of a block",
        remedy: "models with other activations are not supported")
    default: break
    }
    let (scale, factors) = product(value)
    guard factors.count == 2 else { return nil }
    for (x, gate) in [(factors[0], factors[1]), (factors[1], factors[0])] {
      if let activation = try matchGate(gate, of: x, scale: scale) { return (activation, x) }
    }
    return nil
  }

  /// Factors of nested products and the number in front of them.
  func product(_ value: GraphValue, depth: Int = 0) -> (scale: Double, factors: [GraphValue]) {
    let (inner, scale) = strippingScale(value)
    guard depth < 4, case .binary(.multiply, let a, let b)? = computation(inner),
      a.constant == nil, b.constant == nil
    else { return (scale, [inner]) }
    let first = product(compose(inner, a), depth: depth + 1)
    let second = product(compose(inner, b), depth: depth + 1)
    return (scale * first.scale * second.scale, first.factors + second.factors)
  }

  /// The activation that x · scale · gate is.
  private func matchGate(
    _ gate: GraphValue, of x: GraphValue, scale: Double
  ) throws(CLIPError) -> Activation? {
    if case .unary(.sigmoid, let argument)? = computation(gate) {
      let (slope, inner) = strippedArgument(argument)
      guard isSame(inner, x), isClose(scale, 1) else { return nil }
      guard isClose(slope, 1.702) else {
        throw mismatch(
          gate, expected: "QuickGELU's slope 1.702", got: "\(slope)",
          remedy: "models with SiLU are not supported")
      }
      return .quickGELU
    }
    // scale · (a + b · erf(x / √2)) or tanh in place of erf
    guard case .binary(.add, let p, let q)? = computation(gate),
      let offset = reader.scalar(p) ?? reader.scalar(q)
    else { return nil }
    let (factor, terms) = product(p.constant != nil ? q : p)
    guard terms.count == 1, isClose(scale * offset, 0.5), isClose(scale * factor, 0.5) else {
      return nil
    }
    switch computation(terms[0]) {
    case .unary(.erf, let argument)?:
      let (slope, inner) = strippedArgument(argument)
      return isSame(inner, x) && isClose(slope, 0.5.squareRoot()) ? .gelu : nil
    case .unary(.tanh, let argument)?:
      return isTanhArgument(argument, of: x) ? .geluTanh : nil
    default: return nil
    }
  }

  private func strippedArgument(_ value: GraphValue) -> (slope: Double, input: GraphValue) {
    let (inner, scale) = strippingScale(value)
    return (scale, inner)
  }

  /// √(2/π) · (x + 0.044715 x³)
  private func isTanhArgument(_ value: GraphValue, of x: GraphValue) -> Bool {
    let (inner, scale) = strippingScale(value)
    guard isClose(scale, (2 / Double.pi).squareRoot()),
      case .binary(.add, let p, let q)? = computation(inner)
    else { return false }
    for (first, second) in [(p, q), (q, p)] where isSame(first, x) {
      let (factor, factors) = product(second)
      guard isClose(factor, 0.044715) else { continue }
      if factors.count == 3, factors.allSatisfy({ isSame($0, x) }) { return true }
      if factors.count == 2,
        factors.contains(where: { isSame($0, x) }),
        factors.contains(where: { squared($0).map { isSame($0, x) } ?? false })
      {
        return true
      }
      if factors.count == 1,
        case .binary(.power, let base, let exponent)? = computation(factors[0]),
        isSame(base, x), reader.scalar(exponent) == 3
      {
        return true
      }
    }
    return false
  }
}

extension Activation {
  fileprivate init(_ activation: GraphActivation) {
    self =
      switch activation {
      case .quickGELU: .quickGELU
      case .gelu: .gelu
      case .geluTanh: .geluTanh
      }
  }
}
