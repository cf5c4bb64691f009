internal import CKernels

extension Tape {
  /// Normalises each row to zero mean and unit variance, then scales and shifts it
  /// (Ba, Kiros and Hinton 2016).
  ///
  /// ```
  /// y = (x - mean) / sqrt(variance + epsilon) · weight + bias
  /// ```
  ///
  /// - Parameters:
  ///   - x: `[N, D]`.
  ///   - weight: `[D]`.
  ///   - bias: `[D]`.
  package func layerNorm(
    _ x: Variable, weight: Parameter, bias: Parameter, epsilon: Float
  ) throws(CLIPError) -> Variable {
    let dtype = x.value.dtype
    let rows = Int64(x.shape.rows)
    let columns = Int64(x.shape.columns)
    precondition(weight.shape == [x.shape.columns] && bias.shape == weight.shape)
    let mean = try Tensor([x.shape.rows])
    let rstd = try Tensor([x.shape.rows])
    let compute = { [x = x.value] () throws(CLIPError) -> Tensor in
      let y = try Tensor(x.shape, dtype)
      ck_layer_norm(
        dtype.kernel, x.bytes, weight.value.f32, bias.value.f32, epsilon, rows, columns, y.bytes,
        mean.f32, rstd.f32)
      return y
    }

    let isTrained = weight.isTrainable || bias.isTrainable
    return record(
      try compute(), dependsOnGradient: x.requiresGradient || isTrained, of: [weight, bias],
      recompute: compute
    ) { [slot = x.slot, x = x.value] (dy: Tensor) throws(CLIPError) in
      let dx = slot.requiresGradient ? try Tensor(x.shape, dtype) : nil
      let dWeight = weight.isTrainable ? try weight.gradientTarget() : nil
      let dBias = bias.isTrainable ? try bias.gradientTarget() : nil
      let partials = try Tensor([Int(ck_partial_floats(rows, 2 * columns))])
      ck_layer_norm_backward(
        dtype.kernel, x.bytes, dy.bytes, weight.value.f32, mean.f32, rstd.f32, rows, columns,
        dx?.bytes, dWeight?.tensor.f32, dBias?.tensor.f32, dWeight?.accumulates == true ? 1 : 0,
        dBias?.accumulates == true ? 1 : 0, partials.f32)
      if let dx { try self.accumulate(dx, into: slot) }
    }
  }
}
