internal import CKernels

extension Tape {
  /// Looks up tokens and adds positions.
  ///
  /// - Parameters:
  ///   - tokens: N ids in captions, each counted from position 0.
  ///   - table: `[V, D]`.
  ///   - positions: `[L, D]`.
  /// - Returns: `[N, D]` in the tape's precision.
  /// - Throws: `invalidArgument` for an id outside the table or a caption longer than L.
  package func embedding(
    _ tokens: TokenBatch, table: Parameter, positions: Parameter
  ) throws(CLIPError) -> Variable {
    let width = table.shape.columns
    precondition(positions.shape == [positions.shape[0], width] && table.shape.rank == 2)
    let sequences = tokens.sequences
    try Self.checkLength(sequences, positions)
    let vocabularySize = table.shape[0]
    if let id = tokens.ids.first(where: { $0 < 0 || Int($0) >= vocabularySize }) {
      throw CLIPError(
        .invalidArgument,
        "embedding: token id is out of range; expected 0 to \(vocabularySize - 1), got \(id)")
    }
    let dtype = precision
    let y = try Tensor([tokens.ids.count, width], dtype)
    ck_embed(
      dtype.kernel, tokens.ids, table.value.f32, positions.value.f32, sequences.offsets,
      Int64(sequences.count), Int64(width), y.bytes)
    return record(
      y, dependsOnGradient: table.isTrainable || positions.isTrainable, of: [table, positions]
    ) {
      (dy: Tensor) throws(CLIPError) in
      if table.isTrainable {
        let dTable = try table.accumulatedGradient()
        let ids = tokens.ids
        let order = ids.indices.sorted { (ids[$0], $0) < (ids[$1], $1) }.map(Int32.init)
        ck_embed_backward(
          dtype.kernel, ids, order, Int64(ids.count), Int64(width), dy.bytes, dTable.f32)
      }
      try Self.addPositionGradient(dy, sequences, positions)
    }
  }

  private static func checkLength(
    _ sequences: Sequences, _ positions: Parameter
  ) throws(CLIPError) {
    guard sequences.longest <= positions.shape[0] else {
      throw CLIPError(
        .invalidArgument,
        "embedding: caption is too long; expected at most \(positions.shape[0]) tokens, "
          + "got \(sequences.longest); truncate it")
    }
  }

  private static func addPositionGradient(
    _ dy: Tensor, _ sequences: Sequences, _ positions: Parameter
  ) throws(CLIPError) {
    guard positions.isTrainable else { return }
    let gradient = try positions.accumulatedGradient()
    ck_positions_backward(
      dy.dtype.kernel, sequences.offsets, Int64(sequences.count), Int64(sequences.longest),
      Int64(dy.shape.columns), dy.bytes, gradient.f32)
  }
}
