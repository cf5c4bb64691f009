internal import CKernels

extension Tape {
  /// Returns multi-head scaled dot-product attention within each sequence
  /// (Vaswani et al. 2017, equation 1).
  ///
  /// ```
  /// softmax(q kᵀ / sqrt(D / H)) v        for each head
  /// ```
  ///
  /// - Parameters:
  ///   - qkv: `[N, 3 D]`, queries, keys and values side by side.
  ///   - sequences: which rows attend to one another; covers all rows.
  ///   - heads: H; divides D.
  ///   - isCausal: whether a row sees only itself and the rows before it.
  /// - Returns: `[N, D]`.
  package func attention(
    qkv: Variable, sequences: Sequences, heads: Int, isCausal: Bool
  ) throws(CLIPError) -> Variable {
    precondition(qkv.shape.rank == 2 && qkv.shape[1] % (3 * heads) == 0, "three times the width")
    precondition(qkv.shape[0] == sequences.rows, "sequences cover all rows")
    let dtype = qkv.value.dtype
    let width = qkv.shape[1] / 3
    let layout = AttentionLayout(
      dtype: dtype, queries: sequences, keys: sequences, heads: heads, headWidth: width / heads,
      inputStride: 3 * width, isCausal: isCausal)
    let part = width * dtype.byteSize
    let compute = { [qkv = qkv.value] () throws(CLIPError) -> (y: Tensor, logSums: Tensor) in
      let y = try Tensor([sequences.rows, width], dtype)
      let q = qkv.bytes
      return (y, try layout.forward(q: q, k: q + part, v: q + 2 * part, output: y))
    }
    let (y, logSums) = try compute()
    return record(
      y, dependsOnGradient: qkv.requiresGradient,
      recompute: { () throws(CLIPError) in try compute().y }
    ) { [slot = qkv.slot, qkv = qkv.value] (dy: Tensor) throws(CLIPError) in
      let gradient = try Tensor(qkv.shape, dtype)
      let q = qkv.bytes
      let dq = gradient.bytes
      try layout.backward(
        q: q, k: q + part, v: q + 2 * part, dOutput: dy, logSums: logSums, dq: dq,
        dk: dq + part, dv: dq + 2 * part)
      try self.accumulate(gradient, into: slot)
    }
  }

  /// Returns multi-head attention of one query for each sequence to the rows of that sequence.
  ///
  /// - Parameters:
  ///   - query: `[B, D]`.
  ///   - k: keys, `[N, D]`.
  ///   - v: values, `[N, D]`.
  ///   - sequences: B sequences that cover the N rows.
  ///   - heads: H; divides D.
  /// - Returns: `[B, D]`.
  package func poolingAttention(
    query: Variable, key k: Variable, value v: Variable, sequences: Sequences, heads: Int
  ) throws(CLIPError) -> Variable {
    let dtype = query.value.dtype
    let width = query.shape.columns
    precondition(width % heads == 0 && query.shape == [sequences.count, width])
    precondition(k.shape == [sequences.rows, width] && v.shape == k.shape)
    precondition(k.value.dtype == dtype && v.value.dtype == dtype)
    let layout = AttentionLayout(
      dtype: dtype, queries: Sequences(count: sequences.count, length: 1), keys: sequences,
      heads: heads, headWidth: width / heads, inputStride: width, isCausal: false)
    let y = try Tensor(query.shape, dtype)
    let logSums = try layout.forward(
      q: query.value.bytes, k: k.value.bytes, v: v.value.bytes, output: y)
    let dependsOnGradient = query.requiresGradient || k.requiresGradient || v.requiresGradient
    let slots = (query.slot, k.slot, v.slot)
    return record(y, dependsOnGradient: dependsOnGradient) {
      [q = query.value, k = k.value, v = v.value] (dy: Tensor) throws(CLIPError) in
      let dq = try Tensor(q.shape, dtype)
      let dk = try Tensor(k.shape, dtype)
      let dv = try Tensor(v.shape, dtype)
      try layout.backward(
        q: q.bytes, k: k.bytes, v: v.bytes, dOutput: dy, logSums: logSums, dq: dq.bytes,
        dk: dk.bytes, dv: dv.bytes)
      try self.accumulate(dq, into: slots.0)
      try self.accumulate(dk, into: slots.1)
      try self.accumulate(dv, into: slots.2)
    }
  }
}

/// Where the operands of an attention are; the kernels read them in place.
private struct AttentionLayout {
  let dtype: DType
  let queries: Sequences
  let keys: Sequences
  let heads: Int
  let headWidth: Int
  /// Elements from row to row of q, k and v; rows of the output are dense.
  let inputStride: Int
  let isCausal: Bool

  /// Computes `output`; returns ln Σ e^score of each head and query, which the backward pass reads.
  func forward(
    q: UnsafeRawPointer, k: UnsafeRawPointer, v: UnsafeRawPointer, output: Tensor
  ) throws(CLIPError) -> Tensor {
    let logSums = try Tensor([heads, queries.rows])
    let workspace = try makeWorkspace()
    withShape { shape in
      ck_attention_forward(shape, q, k, v, output.bytes, logSums.f32, workspace.bytes)
    }
    return logSums
  }

  func backward(
    q: UnsafeRawPointer, k: UnsafeRawPointer, v: UnsafeRawPointer, dOutput: Tensor, logSums: Tensor,
    dq: UnsafeMutableRawPointer, dk: UnsafeMutableRawPointer, dv: UnsafeMutableRawPointer
  ) throws(CLIPError) {
    let workspace = try makeWorkspace()
    withShape { shape in
      ck_attention_backward(
        shape, q, k, v, dOutput.bytes, logSums.f32, dq, dk, dv, workspace.bytes)
    }
  }

  private func makeWorkspace() throws(CLIPError) -> Tensor {
    let byteCount = withShape { ck_attention_workspace($0) }
    return try Tensor([byteCount / 4], .f32)
  }

  private func withShape<Result>(_ body: (UnsafePointer<ck_attention>) -> Result) -> Result {
    queries.offsets.withUnsafeBufferPointer { queryOffsets in
      keys.offsets.withUnsafeBufferPointer { keyOffsets in
        var shape = ck_attention(
          dtype: dtype.kernel, sequences: Int64(queries.count), heads: Int64(heads),
          head_width: Int64(headWidth), query_offsets: queryOffsets.baseAddress,
          key_offsets: keyOffsets.baseAddress, query_stride: Int64(inputStride),
          key_stride: Int64(inputStride), value_stride: Int64(inputStride),
          output_stride: Int64(heads * headWidth), longest_query: Int64(queries.longest),
          longest_key: Int64(keys.longest), causal: isCausal ? 1 : 0,
          scale: 1 / Float(headWidth).squareRoot())
        return body(&shape)
      }
    }
  }
}
