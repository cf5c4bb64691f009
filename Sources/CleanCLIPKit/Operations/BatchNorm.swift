internal import CKernels

/// The state of a batch-normalisation layer (Ioffe and Szegedy 2015).
package final class BatchNorm {
  /// `[C]`.
  package let weight: Parameter
  /// `[C]`.
  package let bias: Parameter
  /// `[C]`, written by training.
  package let runningMean: Tensor
  /// `[C]`, written by training.
  package let runningVariance: Tensor
  package let epsilon: Float
  /// The fraction of a batch in the running statistics.
  package let momentum: Float

  package init(
    weight: Parameter, bias: Parameter, runningMean: Tensor, runningVariance: Tensor,
    epsilon: Float, momentum: Float = 0.1
  ) {
    precondition(bias.shape == weight.shape && runningMean.shape == weight.shape)
    precondition(runningVariance.shape == weight.shape)
    self.weight = weight
    self.bias = bias
    self.runningMean = runningMean
    self.runningVariance = runningVariance
    self.epsilon = epsilon
    self.momentum = momentum
  }

  /// Returns the norm with these statistics as `x · scale + shift`, and `rstd = 1/√(variance + ε)`,
  /// each `[C]`.
  func affine(
    mean: Tensor, variance: Tensor
  ) throws(CLIPError) -> (rstd: Tensor, scale: Tensor, shift: Tensor) {
    let rstd = try Tensor(weight.shape)
    let scale = try Tensor(weight.shape)
    let shift = try Tensor(weight.shape)
    for c in 0..<weight.value.count {
      rstd.f32[c] = 1 / (variance.f32[c] + epsilon).squareRoot()
      scale.f32[c] = weight.value.f32[c] * rstd.f32[c]
      shift.f32[c] = bias.value.f32[c] - mean.f32[c] * scale.f32[c]
    }
    return (rstd, scale, shift)
  }

  /// Moves the running statistics towards those of a batch of `rows`, whose variance is unbiased
  /// first, as PyTorch does.
  fileprivate func updateRunningStatistics(mean: Tensor, variance: Tensor, rows: Int) {
    let correction = Float(rows) / Float(max(1, rows - 1))
    for c in 0..<weight.value.count {
      runningMean.f32[c] += momentum * (mean.f32[c] - runningMean.f32[c])
      runningVariance.f32[c] += momentum * (variance.f32[c] * correction - runningVariance.f32[c])
    }
  }
}

extension Tape {
  /// Normalises each channel, then scales and shifts it.
  ///
  /// ```
  /// y = (x - mean) / sqrt(variance + epsilon) · weight + bias        then max(y, 0) where asked
  /// ```
  ///
  /// A training tape takes mean and biased variance from the batch, and moves the running statistics
  /// when it records; forward passes without a record, as in gradient caching, leave them alone.
  /// Otherwise the running statistics are used. Over ranks that share statistics, the batch is the parts
  /// of all, as large on each.
  ///
  /// - Parameter x: `[…, C]`.
  package func batchNorm(
    _ x: Variable, _ norm: BatchNorm, followedByReLU: Bool
  ) throws(CLIPError) -> Variable {
    let dtype = x.value.dtype
    let rows = x.shape.rows
    let channels = x.shape.columns
    precondition(norm.weight.shape == [channels] && rows > 0, "one weight for each channel")
    let usesBatch = isTraining
    let communicator = usesBatch ? statisticsCommunicator : .single
    let batchRows = rows * communicator.size
    let (mean, variance) =
      usesBatch
      ? try statistics(x.value, communicator) : (try norm.runningMean.copy(), norm.runningVariance)
    if usesBatch && isRecording {
      norm.updateRunningStatistics(mean: mean, variance: variance, rows: batchRows)
    }
    let (rstd, scale, shift) = try norm.affine(mean: mean, variance: variance)
    let compute = { [x = x.value] () throws(CLIPError) -> Tensor in
      let y = try Tensor(x.shape, dtype)
      ck_scale_shift(
        dtype.kernel, x.bytes, scale.f32, shift.f32, followedByReLU ? 1 : 0, Int64(rows),
        Int64(channels), y.bytes)
      return y
    }

    let isTrained = norm.weight.isTrainable || norm.bias.isTrainable
    return record(
      try compute(), dependsOnGradient: x.requiresGradient || isTrained,
      of: [norm.weight, norm.bias], recompute: compute
    ) { [slot = x.slot, x = x.value] (dy: Tensor) throws(CLIPError) in
      let both = try Tensor([2 * channels])
      let (sums, products) = (both.slice(0..<channels), both.slice(channels..<2 * channels))
      let partials = try Tensor([Int(ck_partial_floats(Int64(rows), Int64(2 * channels)))])
      let isMasked: Int32 = followedByReLU ? 1 : 0
      ck_batch_norm_reduce(
        dtype.kernel, x.bytes, dy.bytes, mean.f32, rstd.f32, scale.f32, shift.f32, isMasked,
        Int64(rows), Int64(channels), sums.f32, products.f32, partials.f32)
      if norm.weight.isTrainable { try norm.weight.addGradient(products) }
      if norm.bias.isTrainable { try norm.bias.addGradient(sums) }
      guard slot.requiresGradient else { return }

      // dx = weight · rstd · (g - mean(g) - n · mean(g · n)) with n the normalised x, as a·g + b·x + c;
      // running statistics are constants, and b and c vanish. The means are over the whole batch, the
      // gradients of the weights above over this rank's part.
      let b = try Tensor.zeros([channels])
      let c = try Tensor.zeros([channels])
      if usesBatch {
        try communicator.sum(both, for: .statistics)
        for i in 0..<channels {
          b.f32[i] = -scale.f32[i] * rstd.f32[i] * products.f32[i] / Float(batchRows)
          c.f32[i] = -scale.f32[i] * sums.f32[i] / Float(batchRows) - b.f32[i] * mean.f32[i]
        }
      }
      let dx = try Tensor(x.shape, dtype)
      ck_batch_norm_backward(
        dtype.kernel, x.bytes, dy.bytes, scale.f32, shift.f32, isMasked, b.f32, c.f32,
        Int64(rows), Int64(channels), dx.bytes)
      try self.accumulate(dx, into: slot)
    }
  }

  /// Returns mean and biased variance of each channel, over the parts of all ranks.
  private func statistics(
    _ x: Tensor, _ communicator: Communicator
  ) throws(CLIPError) -> (mean: Tensor, variance: Tensor) {
    let rows = Int64(x.shape.rows)
    let channels = x.shape.columns
    let both = try Tensor([2 * channels])
    let partials = try Tensor([Int(ck_partial_floats(rows, Int64(2 * channels)))])
    ck_batch_statistics(
      x.dtype.kernel, x.bytes, rows, Int64(channels), both.f32, both.f32 + channels, partials.f32)
    guard communicator.isSingle else {
      return try Self.merged(try communicator.gather(both, for: .statistics), channels)
    }
    return (both.slice(0..<channels), both.slice(channels..<2 * channels))
  }

  /// Returns mean and variance over parts of the same number of rows, in double precision:
  /// the variance is the mean of the variances and the variance of the means.
  ///
  /// - Parameter parts: `[R, 2 C]`, means and biased variances of each rank.
  private static func merged(
    _ parts: Tensor, _ channels: Int
  ) throws(CLIPError) -> (mean: Tensor, variance: Tensor) {
    let count = parts.shape[0]
    let mean = try Tensor([channels])
    let variance = try Tensor([channels])
    for c in 0..<channels {
      let means = (0..<count).map { Double(parts.f32[2 * $0 * channels + c]) }
      let center = means.reduce(0, +) / Double(count)
      var spread = 0.0
      for part in 0..<count {
        let offset = means[part] - center
        spread += Double(parts.f32[(2 * part + 1) * channels + c]) + offset * offset
      }
      mean.f32[c] = Float(center)
      variance.f32[c] = Float(spread / Double(count))
    }
    return (mean, variance)
  }
}

extension Parameter {
  /// Adds a single-precision gradient of the parameter's shape.
  package func addGradient(_ addend: Tensor) throws(CLIPError) {
    precondition(addend.shape == shape, "a gradient has the shape of its parameter")
    let sum = try accumulatedGradient()
    ck_add(CK_F32, sum.bytes, addend.bytes, sum.bytes, Int64(sum.count))
  }
}
