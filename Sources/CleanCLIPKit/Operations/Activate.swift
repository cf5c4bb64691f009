internal import CKernels

/// The activation of a transformer's MLP.
package enum Activation: String, Equatable, Sendable {
  /// x · sigmoid(1.702 x), OpenAI's approximation.
  case quickGELU = "quick_gelu"
  /// x · Φ(x).
  case gelu
  /// The tanh approximation of GELU.
  case geluTanh = "gelu_tanh"
}

extension Activation {
  fileprivate var kernel: ck_activation {
    switch self {
    case .quickGELU: CK_QUICK_GELU
    case .gelu: CK_GELU
    case .geluTanh: CK_GELU_TANH
    }
  }
}

extension Tape {
  /// Returns the activation of each element; see `Activation` for the formulas.
  package func activate(
    _ x: Variable, _ activation: Activation
  ) throws(CLIPError) -> Variable {
    let dtype = x.value.dtype
    let kind = activation.kernel
    let compute = { [x = x.value] () throws(CLIPError) -> Tensor in
      let y = try Tensor(x.shape, dtype)
      ck_activate(dtype.kernel, kind, x.bytes, y.bytes, Int64(y.count))
      return y
    }
    return record(
      try compute(), dependsOnGradient: x.requiresGradient, recompute: compute
    ) { [slot = x.slot, x = x.value] (dy: Tensor) throws(CLIPError) in
      let dx = try Tensor(dy.shape, dtype)
      ck_activate_backward(dtype.kernel, kind, x.bytes, dy.bytes, dx.bytes, Int64(dy.count))
      try self.accumulate(dx, into: slot)
    }
  }

  /// Returns `max(x, 0)`.
  package func relu(_ x: Variable) throws(CLIPError) -> Variable {
    let dtype = x.value.dtype
    let y = try Tensor(x.shape, dtype)
    ck_relu(dtype.kernel, x.value.bytes, y.bytes, Int64(y.count))
    return record(y, dependsOnGradient: x.requiresGradient) {
      [slot = x.slot] (dy: Tensor) throws(CLIPError) in
      try self.accumulate(try self.masked(dy, where: y), into: slot)
    }
  }

  /// Returns `dy` where a ReLU's result `y` is positive, and 0 elsewhere.
  func masked(_ dy: Tensor, where y: Tensor) throws(CLIPError) -> Tensor {
    let dx = try Tensor(dy.shape, dy.dtype)
    ck_relu_backward(dy.dtype.kernel, y.bytes, dy.bytes, dx.bytes, Int64(dy.count))
    return dx
  }
}
