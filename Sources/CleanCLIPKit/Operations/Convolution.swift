internal import CKernels

extension Tape {
  /// Returns the cross-correlation of a picture with filters, as `torch.nn.functional.conv2d`.
  ///
  /// - Parameters:
  ///   - x: `[B, H, W, C]`.
  ///   - weight: `[O, C, kh, kw]`.
  ///   - bias: `[O]`.
  ///   - stride: steps of the filter, both ways; at least 1.
  ///   - padding: zeros around the picture, both ways.
  /// - Returns: `[B, OH, OW, O]` in the element type of `x`.
  package func convolution(
    _ x: Variable, weight: Parameter, bias: Parameter?, stride: Int, padding: Int
  ) throws(CLIPError) -> Variable {
    precondition(x.shape.rank == 4 && weight.shape.rank == 4 && stride > 0 && padding >= 0)
    precondition(x.shape[3] == weight.shape[1], "as many channels as the filters")
    precondition(bias.map { $0.shape == [weight.shape[0]] } ?? true, "one bias for each filter")
    let dtype = x.value.dtype
    let layout = ck_convolution(
      batch: Int64(x.shape[0]), height: Int64(x.shape[1]), width: Int64(x.shape[2]),
      in_channels: Int64(x.shape[3]), out_channels: Int64(weight.shape[0]),
      kernel_height: Int64(weight.shape[2]), kernel_width: Int64(weight.shape[3]),
      stride: Int64(stride), padding: Int64(padding), dtype: dtype.kernel,
      has_bias: bias == nil ? 0 : 1)
    let height = (x.shape[1] + 2 * padding - weight.shape[2]) / stride + 1
    let width = (x.shape[2] + 2 * padding - weight.shape[3]) / stride + 1
    precondition(height > 0 && width > 0, "the filter fits in the picture")

    let y = try Tensor([x.shape[0], height, width, weight.shape[0]], dtype)
    var shape = layout
    let packed = try weight.packed(for: &shape, isForward: true)
    try check(
      ck_convolution_forward(&shape, x.value.bytes, packed.bytes, bias?.value.f32, y.bytes),
      "convolution")

    let isTrained = weight.isTrainable || bias?.isTrainable ?? false
    let input = weight.isTrainable ? x.reader() : nil
    return record(y, dependsOnGradient: x.requiresGradient || isTrained) {
      [x = x.slot] (dy: Tensor) throws(CLIPError) in
      var shape = layout
      if x.requiresGradient {
        let dx = try Tensor(x.shape, dtype)
        let packed = try weight.packed(for: &shape, isForward: false)
        try check(
          ck_convolution_backward_data(&shape, dy.bytes, packed.bytes, dx.bytes), "convolution")
        try self.accumulate(dx, into: x)
      }
      if let input = try input?() {
        let target = try weight.gradientTarget()
        try check(
          ck_convolution_backward_weight(
            &shape, input.bytes, dy.bytes, target.tensor.f32, target.accumulates ? 1 : 0),
          "convolution")
      }
      if let bias, bias.isTrainable { try bias.addColumnSums(of: dy) }
    }
  }
}

extension Parameter {
  /// Returns the filters in the layout and element type that a pass asks for; made once for each
  /// value of the parameter.
  fileprivate func packed(
    for shape: inout ck_convolution, isForward: Bool
  ) throws(CLIPError) -> Tensor {
    var format = ck_format()
    try check(
      isForward
        ? ck_convolution_forward_format(&shape, &format)
        : ck_convolution_backward_format(&shape, &format), "convolution")
    return try prepared("filter \(format.id)", byteCount: format.bytes) {
      (target: Tensor) throws(CLIPError) in
      try check(
        ck_pack_filter(format.id, &shape, CK_F32, value.bytes, target.bytes), "convolution")
    }
  }
}
