internal import CKernels

extension Tape {
  /// Brings images from the boundary's layout into the engine's.
  ///
  /// - Parameter x: `[B, C, H, W]`, single precision.
  /// - Returns: `[B, H, W, C]` in the tape's precision.
  package func pixels(_ x: Variable) throws(CLIPError) -> Variable {
    precondition(x.shape.rank == 4 && x.value.dtype == .f32, "pixels are [B, C, H, W] in f32")
    let (batch, channels) = (Int64(x.shape[0]), Int64(x.shape[1]))
    let area = Int64(x.shape[2] * x.shape[3])
    let dtype = precision
    let y = try Tensor([x.shape[0], x.shape[2], x.shape[3], x.shape[1]], dtype)
    ck_nchw_to_nhwc(dtype.kernel, x.value.f32, batch, channels, area, y.bytes)
    return record(y, dependsOnGradient: x.requiresGradient) {
      [x = x.slot] (dy: Tensor) throws(CLIPError) in
      let dx = try Tensor(x.shape, .f32)
      ck_nhwc_to_nchw(dtype.kernel, dy.bytes, batch, channels, area, dx.f32)
      try self.accumulate(dx, into: x)
    }
  }

  /// Cuts images into square patches, row by row, each in the order of a flattened convolution
  /// weight: channel, row, column. Pixels beyond the last whole patch are dropped.
  ///
  /// - Parameter x: `[B, C, H, W]`, single precision.
  /// - Returns: `[B · gridHeight · gridWidth, C · patchSize²]` in the tape's precision.
  package func patches(_ x: Variable, patchSize: Int) throws(CLIPError) -> Variable {
    precondition(x.shape.rank == 4 && x.value.dtype == .f32, "pixels are [B, C, H, W] in f32")
    precondition(patchSize > 0 && x.shape[2] >= patchSize && x.shape[3] >= patchSize)
    let size = x.shape.dimensions.map(Int64.init)
    let grid = (x.shape[2] / patchSize) * (x.shape[3] / patchSize)
    let dtype = precision
    let compute = { [x = x.value] () throws(CLIPError) -> Tensor in
      let y = try Tensor([x.shape[0] * grid, x.shape[1] * patchSize * patchSize], dtype)
      ck_patches(
        dtype.kernel, x.f32, size[0], size[1], size[2], size[3], Int64(patchSize), y.bytes)
      return y
    }
    return record(
      try compute(), dependsOnGradient: x.requiresGradient, recompute: compute
    ) { [x = x.slot] (dy: Tensor) throws(CLIPError) in
      let dx = try Tensor(x.shape, .f32)
      ck_patches_backward(
        dtype.kernel, dy.bytes, size[0], size[1], size[2], size[3], Int64(patchSize), dx.f32)
      try self.accumulate(dx, into: x)
    }
  }
}
