internal import CKernels

extension Tape {
  /// Returns the means of `kernel × kernel` windows that touch but do not overlap; rows and columns
  /// left over at the far edges are dropped.
  ///
  /// - Parameter x: `[B, H, W, C]`.
  /// - Returns: `[B, H / kernel, W / kernel, C]`.
  package func averagePool(_ x: Variable, kernel: Int) throws(CLIPError) -> Variable {
    precondition(x.shape.rank == 4 && kernel > 0)
    precondition(x.shape[1] >= kernel && x.shape[2] >= kernel, "the window fits in the image")
    let dtype = x.value.dtype
    let size = x.shape.dimensions.map(Int64.init)
    let y = try Tensor([x.shape[0], x.shape[1] / kernel, x.shape[2] / kernel, x.shape[3]], dtype)
    ck_average_pool(
      dtype.kernel, x.value.bytes, size[0], size[1], size[2], size[3], Int64(kernel), y.bytes)
    return record(y, dependsOnGradient: x.requiresGradient) {
      [x = x.slot] (dy: Tensor) throws(CLIPError) in
      let dx = try Tensor(x.shape, dtype)
      ck_average_pool_backward(
        dtype.kernel, dy.bytes, size[0], size[1], size[2], size[3], Int64(kernel), dx.bytes)
      try self.accumulate(dx, into: x)
    }
  }
}
