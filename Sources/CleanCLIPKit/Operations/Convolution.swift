internal import CKernels

extension Tape {
  /// Returns the cross-correlation of an image with filters, as `torch.nn.functional.conv2d`.
  ///
  /// ```
  /// y = max(x * weight + bias + residual, 0)        each term and the maximum where asked
  /// ```
  ///
  /// - Parameters:
  ///   - x: `[B, H, W, C]`.
  ///   - weight: `[O, C, kh, kw]`.
  ///   - bias: `[O]`.
  ///   - stride: steps of the filter, both ways; at least 1.
  ///   - padding: zeros around the image, both ways.
  ///   - residual: of the result's shape. A tape without a record overwrites it with the result.
  /// - Returns: `[B, OH, OW, O]` in the element type of `x`.
  package func convolution(
    _ x: Variable, weight: Parameter, bias: Parameter?, stride: Int, padding: Int,
    adding residual: Variable? = nil, followedByReLU: Bool = false
  ) throws(CLIPError) -> Variable {
    precondition(bias.map { $0.shape == [weight.shape[0]] } ?? true, "one bias for each filter")
    return try convolution(
      x, Filters(weight: weight, shift: bias?.value, bias: bias), stride: stride, padding: padding,
      adding: residual, followedByReLU: followedByReLU)
  }

  /// Returns the convolution followed by a norm with its running statistics, in one pass: the norm
  /// scales the filters and leaves a bias.
  ///
  /// - Parameters: as of `convolution` with a bias.
  package func convolution(
    _ x: Variable, weight: Parameter, foldedNorm norm: BatchNorm, stride: Int, padding: Int,
    adding residual: Variable? = nil, followedByReLU: Bool = false
  ) throws(CLIPError) -> Variable {
    precondition(canFold(norm, into: weight) && norm.weight.shape == [weight.shape[0]])
    let affine = try norm.affine(mean: norm.runningMean, variance: norm.runningVariance)
    return try convolution(
      x, Filters(weight: weight, scale: affine.scale, shift: affine.shift), stride: stride,
      padding: padding, adding: residual, followedByReLU: followedByReLU)
  }

  /// Whether the norm is a constant scale and shift here, and no gradient of either is asked for.
  package func canFold(_ norm: BatchNorm, into weight: Parameter) -> Bool {
    let isTrained = weight.isTrainable || norm.weight.isTrainable || norm.bias.isTrainable
    return !isTraining && !(isRecording && isTrained)
  }

  private func convolution(
    _ x: Variable, _ filters: Filters, stride: Int, padding: Int, adding residual: Variable?,
    followedByReLU: Bool
  ) throws(CLIPError) -> Variable {
    let dtype = x.value.dtype
    var layout = filters.layout(x.shape, dtype, stride: stride, padding: padding)
    layout.accumulates = residual == nil ? 0 : 1
    layout.relu = followedByReLU ? 1 : 0
    let result = layout.resultShape
    precondition(residual.map { $0.shape == result && $0.value.dtype == dtype } ?? true)
    let y =
      if let residual { isRecording ? try residual.value.copy() : residual.value } else {
        try Tensor(result, dtype)
      }
    var shape = layout
    let isKept = keepsPacked(filters.weight)
    let packed = try filters.packed(for: &shape, isForward: true, isKept: isKept)
    try check(
      ck_convolution_forward(&shape, x.value.bytes, packed.bytes, filters.shift?.f32, y.bytes),
      "convolution")

    let (weight, bias) = (filters.weight, filters.bias)
    let isTrained = weight.isTrainable || bias?.isTrainable ?? false
    let wantsGradient = x.requiresGradient || residual?.requiresGradient ?? false
    let input = weight.isTrainable ? x.reader() : nil
    return record(
      y, dependsOnGradient: wantsGradient || isTrained, of: [weight] + (bias.map { [$0] } ?? [])
    ) {
      [layout, x = x.slot, residual = residual?.slot, y = followedByReLU ? y : nil]
      (dy: Tensor) throws(CLIPError) in
      let dSum = if let y { try self.masked(dy, where: y) } else { dy }
      if let residual { try self.accumulate(dSum, into: residual) }
      var shape = layout
      if x.requiresGradient {
        let dx = try Tensor(x.shape, dtype)
        let packed = try filters.packed(for: &shape, isForward: false, isKept: isKept)
        try check(
          ck_convolution_backward_data(&shape, dSum.bytes, packed.bytes, dx.bytes), "convolution")
        try self.accumulate(dx, into: x)
      }
      if let input = try input?() {
        let target = try weight.gradientTarget()
        try check(
          ck_convolution_backward_weight(
            &shape, input.bytes, dSum.bytes, target.tensor.f32, target.accumulates ? 1 : 0),
          "convolution")
      }
      if let bias, bias.isTrainable { try bias.addColumnSums(of: dSum) }
    }
  }
}

/// The filters of a convolution, with what a norm makes of them.
private struct Filters {
  /// `[O, C, kh, kw]`.
  let weight: Parameter
  /// Factors of the filters, `[O]`; the weight is a constant then.
  var scale: Tensor?
  /// What is added to the results, `[O]`.
  var shift: Tensor?
  /// The parameter that `shift` is the value of.
  var bias: Parameter?

  /// Describes the convolution of images `[B, H, W, C]`.
  func layout(_ x: Shape, _ dtype: DType, stride: Int, padding: Int) -> ck_convolution {
    precondition(x.rank == 4 && weight.shape.rank == 4 && stride > 0 && padding >= 0)
    precondition(x[3] == weight.shape[1], "as many channels as the filters")
    return ck_convolution(
      batch: Int64(x[0]), height: Int64(x[1]), width: Int64(x[2]), in_channels: Int64(x[3]),
      out_channels: Int64(weight.shape[0]), kernel_height: Int64(weight.shape[2]),
      kernel_width: Int64(weight.shape[3]), stride: Int64(stride), padding: Int64(padding),
      dtype: dtype.kernel, has_bias: shift == nil ? 0 : 1, accumulates: 0, relu: 0)
  }

  /// Returns the filters in the layout and element type that a pass asks for; made once for each
  /// value of the weight and the scale where they are kept.
  func packed(
    for shape: inout ck_convolution, isForward: Bool, isKept: Bool
  ) throws(CLIPError) -> Tensor {
    var format = ck_format()
    try check(
      isForward
        ? ck_convolution_forward_format(&shape, &format)
        : ck_convolution_backward_format(&shape, &format), "convolution")
    return try weight.prepared(
      "filter \(format.id)", byteCount: format.bytes, scale: scale, isKept: isKept
    ) {
      (target: Tensor) throws(CLIPError) in
      try check(
        ck_pack_filter(format.id, &shape, weight.value.f32, scale?.f32, target.bytes),
        "convolution")
    }
  }
}

extension ck_convolution {
  /// `[B, OH, OW, O]`.
  fileprivate var resultShape: Shape {
    let rows = (height + 2 * padding - kernel_height) / stride + 1
    let columns = (width + 2 * padding - kernel_width) / stride + 1
    precondition(rows > 0 && columns > 0, "the filter fits in the image")
    return Shape([Int(batch), Int(rows), Int(columns), Int(out_channels)])
  }
}
