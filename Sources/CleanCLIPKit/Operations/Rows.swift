internal import CKernels

extension Tape {
  /// Returns the rows with these numbers, in this order; a row may occur more than once.
  ///
  /// - Parameter x: `[N, D]`.
  /// - Returns: `[indices.count, D]`.
  package func rows(_ x: Variable, at indices: [Int]) throws(CLIPError) -> Variable {
    let (rows, columns) = (x.shape.rows, x.shape.columns)
    precondition(indices.allSatisfy { $0 >= 0 && $0 < rows }, "row numbers exist")
    let dtype = x.value.dtype
    let numbers = indices.map(Int32.init)
    let y = try Tensor([indices.count, columns], dtype)
    ck_gather_rows(
      dtype.kernel, x.value.bytes, numbers, Int64(numbers.count), Int64(columns), y.bytes)
    return record(y, dependsOnGradient: x.requiresGradient) {
      [x = x.slot] (dy: Tensor) throws(CLIPError) in
      let dx = try Tensor(x.shape, dtype)
      ck_scatter_rows(
        dtype.kernel, dy.bytes, numbers, Int64(numbers.count), Int64(rows), Int64(columns),
        dx.bytes)
      try self.accumulate(dx, into: x)
    }
  }
}
