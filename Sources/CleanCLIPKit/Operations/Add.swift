internal import CKernels

extension Tape {
  /// Returns `a + b` of equal shapes and element types.
  package func add(_ a: Variable, _ b: Variable) throws(CLIPError) -> Variable {
    let y = try sum(a.value, b.value)
    return record(y, dependsOnGradient: a.requiresGradient || b.requiresGradient) {
      [a = a.slot, b = b.slot] (dy: Tensor) throws(CLIPError) in
      try self.accumulate(dy, into: a)
      try self.accumulate(dy, into: b)
    }
  }

  /// Returns `max(a + b, 0)`, the end of a residual block.
  package func addReLU(_ a: Variable, _ b: Variable) throws(CLIPError) -> Variable {
    precondition(a.shape == b.shape && a.value.dtype == b.value.dtype)
    let dtype = a.value.dtype
    let y = try Tensor(a.shape, dtype)
    ck_add_relu(dtype.kernel, a.value.bytes, b.value.bytes, y.bytes, Int64(y.count))
    return record(y, dependsOnGradient: a.requiresGradient || b.requiresGradient) {
      [a = a.slot, b = b.slot] (dy: Tensor) throws(CLIPError) in
      let dx = try self.masked(dy, where: y)
      try self.accumulate(dx, into: a)
      try self.accumulate(dx, into: b)
    }
  }

  /// Returns `a + b` of equal shapes and element types, outside the tape.
  func sum(_ a: Tensor, _ b: Tensor) throws(CLIPError) -> Tensor {
    precondition(a.shape == b.shape && a.dtype == b.dtype, "terms of a sum agree")
    let result = try Tensor(a.shape, a.dtype)
    ck_add(a.dtype.kernel, a.bytes, b.bytes, result.bytes, Int64(a.count))
    return result
  }
}
