internal import CKernels

extension Tape {
  /// L2-normalizes rows.
  ///
  /// ```
  /// y = x / max(|x|, 1e-12)
  /// ```
  ///
  /// - Parameter x: `[B, E]`.
  /// - Returns: `[B, E]`, always single precision: losses compare small differences of angles.
  package func normalize(_ x: Variable) throws(CLIPError) -> Variable {
    let dtype = x.value.dtype
    let rows = Int64(x.shape.rows)
    let columns = Int64(x.shape.columns)
    let y = try Tensor(x.shape, .f32)
    let norms = try Tensor([x.shape.rows])
    ck_normalize_rows(dtype.kernel, x.value.bytes, rows, columns, y.f32, norms.f32)
    return record(y, dependsOnGradient: x.requiresGradient) {
      [x = x.slot] (dy: Tensor) throws(CLIPError) in
      let dx = try Tensor(x.shape, dtype)
      ck_normalize_rows_backward(
        dtype.kernel, y.f32, norms.f32, dy.f32, rows, columns, dx.bytes)
      try self.accumulate(dx, into: x)
    }
  }
}
