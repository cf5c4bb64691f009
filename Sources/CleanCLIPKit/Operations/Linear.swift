internal import CKernels

extension Tape {
  /// Returns `x · weightᵀ + bias`.
  ///
  /// - Parameters:
  ///   - x: `[N, in]`.
  ///   - weight: `[out, in]`, or `[out, …]` with as many numbers, as a filter of patches.
  ///   - bias: `[out]`.
  /// - Returns: `[N, out]` in the element type of `x`.
  package func linear(
    _ x: Variable, weight: Parameter, bias: Parameter?
  ) throws(CLIPError) -> Variable {
    try product(x, weight: weight, isTransposed: true, bias: bias)
  }

  /// Returns `x · weight`.
  ///
  /// - Parameters:
  ///   - x: `[N, in]`.
  ///   - weight: `[in, out]`, as CLIP keeps `visual.proj` and `text_projection`.
  /// - Returns: `[N, out]` in the element type of `x`.
  package func project(_ x: Variable, weight: Parameter) throws(CLIPError) -> Variable {
    try product(x, weight: weight, isTransposed: false, bias: nil)
  }

  private func product(
    _ x: Variable, weight: Parameter, isTransposed: Bool, bias: Parameter?
  ) throws(CLIPError) -> Variable {
    precondition(
      x.shape.rank == 2 && weight.shape.rank >= 2 && (isTransposed || weight.shape.rank == 2),
      "linear takes matrices")
    let rows = x.shape[0]
    let outputWidth = weight.shape[isTransposed ? 0 : 1]
    let inputWidth = weight.value.count / max(1, outputWidth)
    precondition(x.shape[1] == inputWidth, "rows are as wide as the weight expects")
    precondition(bias.map { $0.shape == [outputWidth] } ?? true, "one bias for each output")

    let dtype = x.value.dtype
    let y = try Tensor([rows, outputWidth], dtype)
    var shape = ck_matmul(
      rows: Int64(rows), columns: Int64(outputWidth), depth: Int64(inputWidth), a: dtype.kernel,
      b: dtype.kernel, c: dtype.kernel, transposes_a: 0, transposes_b: 0,
      has_bias: bias == nil ? 0 : 1, accumulates: 0, packed_b: 1)
    let isKept = keepsPacked(weight)
    let packed = try weight.packed(for: &shape, isTransposed: isTransposed, isKept: isKept)
    try check(
      ck_matmul_run(&shape, x.value.bytes, packed.bytes, bias?.value.f32, y.bytes), "linear")

    let isTrained = weight.isTrainable || bias?.isTrainable ?? false
    let input = weight.isTrainable ? x.reader() : nil
    return record(
      y, dependsOnGradient: x.requiresGradient || isTrained,
      of: [weight] + (bias.map { [$0] } ?? [])
    ) {
      [x = x.slot] (dy: Tensor) throws(CLIPError) in
      if x.requiresGradient {
        let dx = try Tensor(x.shape, dtype)
        var shape = ck_matmul(
          rows: Int64(rows), columns: Int64(inputWidth), depth: Int64(outputWidth),
          a: dtype.kernel, b: dtype.kernel, c: dtype.kernel, transposes_a: 0, transposes_b: 0,
          has_bias: 0, accumulates: 0, packed_b: 1)
        let packed = try weight.packed(for: &shape, isTransposed: !isTransposed, isKept: isKept)
        try check(ck_matmul_run(&shape, dy.bytes, packed.bytes, nil, dx.bytes), "linear")
        try self.accumulate(dx, into: x)
      }
      if let input = try input?() {
        let target = try weight.gradientTarget()
        let (left, right) = isTransposed ? (dy, input) : (input, dy)
        var shape = ck_matmul(
          rows: Int64(left.shape[1]), columns: Int64(right.shape[1]), depth: Int64(rows),
          a: dtype.kernel, b: dtype.kernel, c: CK_F32, transposes_a: 1, transposes_b: 0,
          has_bias: 0, accumulates: target.accumulates ? 1 : 0, packed_b: 0)
        try check(
          ck_matmul_run(&shape, left.bytes, right.bytes, nil, target.tensor.bytes), "linear")
      }
      if let bias, bias.isTrainable { try bias.addColumnSums(of: dy) }
    }
  }
}

extension Parameter {
  /// Returns the matrix as the right factor of a product, in the layout and element type that the
  /// product asks for; made once for each value of the parameter where it is kept.
  fileprivate func packed(
    for shape: inout ck_matmul, isTransposed: Bool, isKept: Bool
  ) throws(CLIPError) -> Tensor {
    var format = ck_format()
    try check(ck_matmul_format(&shape, &format), "linear")
    // A square weight and its transpose have one format and two contents.
    return try prepared(
      "matrix \(format.id) \(isTransposed)", byteCount: format.bytes, isKept: isKept
    ) {
      (target: Tensor) throws(CLIPError) in
      try check(
        ck_pack_matrix(
          format.id, shape.depth, shape.columns, isTransposed ? 1 : 0, CK_F32, value.bytes,
          target.bytes), "linear")
    }
  }

  /// Returns the copy of the value with this meaning and scale, made by `fill` where there is none.
  func prepared(
    _ key: String, byteCount: Int, scale: Tensor? = nil, isKept: Bool,
    fill: (Tensor) throws(CLIPError) -> Void
  ) throws(CLIPError) -> Tensor {
    if let existing = prepared.withLock({ $0[key] }), existing.isScaled(by: scale) {
      return existing.tensor
    }
    let tensor = try Tensor([(byteCount + 3) / 4], .f32)
    try fill(tensor)
    guard isKept else { return tensor }
    // Two threads at once make the same copy twice.
    prepared.withLock { $0[key] = PreparedWeight(tensor: tensor, scale: scale) }
    return tensor
  }

  /// Adds the sums over rows of `gradient`, `[…, C]`, to the gradient of a bias.
  func addColumnSums(of gradient: Tensor) throws(CLIPError) {
    let rows = Int64(gradient.shape.rows)
    let columns = Int64(gradient.shape.columns)
    let target = try gradientTarget()
    let partials = try Tensor([Int(ck_partial_floats(rows, columns))])
    ck_column_sums(
      gradient.dtype.kernel, gradient.bytes, rows, columns, target.tensor.f32,
      target.accumulates ? 1 : 0, partials.f32)
  }
}
