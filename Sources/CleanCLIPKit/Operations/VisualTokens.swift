internal import CKernels

extension Tape {
  /// Puts the class embedding before the patches of each image and adds positions.
  ///
  /// - Parameters:
  ///   - patches: `[B · (L - 1), D]`.
  ///   - classEmbedding: `[D]`.
  ///   - positions: `[L, D]`.
  ///   - batch: B.
  /// - Returns: `[B · L, D]`.
  package func visualTokens(
    _ patches: Variable, classEmbedding: Parameter, positions: Parameter, batch: Int
  ) throws(CLIPError) -> Variable {
    let dtype = patches.value.dtype
    let width = patches.shape.columns
    let length = positions.shape[0]
    precondition(positions.shape == [length, width] && classEmbedding.shape == [width])
    precondition(patches.shape == [batch * (length - 1), width], "one position for each token")
    let y = try Tensor([batch * length, width], dtype)
    ck_visual_tokens(
      dtype.kernel, patches.value.bytes, classEmbedding.value.f32, positions.value.f32,
      Int64(batch), Int64(length), Int64(width), y.bytes)
    let isTrained = classEmbedding.isTrainable || positions.isTrainable
    return record(
      y, dependsOnGradient: patches.requiresGradient || isTrained, of: [classEmbedding, positions]
    ) {
      [patches = patches.slot] (dy: Tensor) throws(CLIPError) in
      let dPatches = patches.requiresGradient ? try Tensor(patches.shape, dtype) : nil
      let dClass = classEmbedding.isTrainable ? try classEmbedding.accumulatedGradient() : nil
      let dPositions = positions.isTrainable ? try positions.accumulatedGradient() : nil
      ck_visual_tokens_backward(
        dtype.kernel, dy.bytes, Int64(batch), Int64(length), Int64(width), dPatches?.bytes,
        dClass?.f32, dPositions?.f32)
      if let dPatches { try self.accumulate(dPatches, into: patches) }
    }
  }

  /// Puts the mean of the cells of each feature map before them and adds positions: the input of
  /// CLIP's attention pool.
  ///
  /// - Parameters:
  ///   - x: `[B, H, W, C]`.
  ///   - positions: `[H · W + 1, C]`.
  /// - Returns: `[B · (H · W + 1), C]`.
  package func meanToken(_ x: Variable, positions: Parameter) throws(CLIPError) -> Variable {
    precondition(x.shape.rank == 4)
    let dtype = x.value.dtype
    let (batch, area, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
    precondition(positions.shape == [area + 1, channels], "one position for each token")
    let y = try Tensor([batch * (area + 1), channels], dtype)
    ck_mean_token(
      dtype.kernel, x.value.bytes, positions.value.f32, Int64(batch), Int64(area),
      Int64(channels), y.bytes)
    return record(
      y, dependsOnGradient: x.requiresGradient || positions.isTrainable, of: [positions]
    ) {
      [x = x.slot] (dy: Tensor) throws(CLIPError) in
      let dx = x.requiresGradient ? try Tensor(x.shape, dtype) : nil
      let dPositions = positions.isTrainable ? try positions.accumulatedGradient() : nil
      ck_mean_token_backward(
        dtype.kernel, dy.bytes, Int64(batch), Int64(area), Int64(channels), dx?.bytes,
        dPositions?.f32)
      if let dx { try self.accumulate(dx, into: x) }
    }
  }
}
