internal import Glibc

/// Embeds captions with a pseudo-token behind their start.
struct CaptionEncoder {
  let model: CLIPModel
  let precision: DType

  /// Captions as rows of the embedding table, with the rows of the inserted token.
  struct Embedded {
    /// `[N, D]`.
    let rows: Tensor
    let sequences: Sequences
    /// Rows that hold the token.
    let inserted: [Int]
  }

  /// Looks captions up, and inserts `token` behind the first id of each when there is one. What no
  /// longer fits loses the id before its last.
  ///
  /// - Throws: `unsupported` without a text tower; `invalidArgument` for ids outside the
  ///   vocabulary.
  func embed(_ captions: [[Int32]], token: [Float]?) throws(CLIPError) -> Embedded {
    guard let text = model.text else {
      throw CLIPError(
        .unsupported, "check text: the model has no text tower; expected one, got images only")
    }
    let table = text.tokenEmbedding.value
    let width = table.shape[1]
    var lengths: [Int] = []
    var ids: [Int32] = []
    var inserted: [Int] = []
    for caption in captions {
      var caption = caption
      if token != nil {
        if caption.count >= text.configuration.contextLength {
          caption.remove(at: caption.count - 2)
        }
        inserted.append(ids.count + 1)
        caption.insert(0, at: 1)
      }
      ids += caption
      lengths.append(caption.count)
    }
    let rows = try Tensor([ids.count, width])
    var next = 0
    for (row, id) in ids.enumerated() {
      if let token, next < inserted.count, inserted[next] == row {
        next += 1
        for column in 0..<width { rows.f32[row * width + column] = token[column] }
        continue
      }
      guard id >= 0, Int(id) < table.shape[0] else {
        throw CLIPError(
          .invalidArgument,
          "check text: token id is out of range; expected 0 to \(table.shape[0] - 1), got \(id)")
      }
      memcpy(rows.f32 + row * width, table.f32 + Int(id) * width, width * 4)
    }
    return Embedded(rows: rows, sequences: Sequences(lengths: lengths), inserted: inserted)
  }

  /// Returns unit-length features `[n, E]`.
  func features(_ captions: [[Int32]], token: [Float]?) throws(CLIPError) -> Tensor {
    let embedded = try embed(captions, token: token)
    let tape = Tape(precision: precision, isRecording: false)
    return try tape.normalize(
      try model.textFeatures(
        tape, embedded: Variable(embedded.rows), sequences: embedded.sequences)
    ).value
  }

  /// The median length of the vocabulary's embeddings.
  var medianTokenLength: Float {
    guard let table = model.text?.tokenEmbedding.value else { return 1 }
    let width = table.shape[1]
    // Every 16th token is plenty for a median.
    return Ranking.median(
      stride(from: 0, to: table.shape[0], by: 16).map { row in
        (0..<width).reduce(Float(0)) {
          $0 + table.f32[row * width + $1] * table.f32[row * width + $1]
        }.squareRoot()
      })
  }

  /// Tokens of the vocabulary by cosine with `token`, best first.
  func nearestTokens(to token: [Float], count: Int) -> [(id: Int32, cosine: Float)] {
    guard let table = model.text?.tokenEmbedding.value else { return [] }
    let width = table.shape[1]
    let length = max(1e-12, token.reduce(0) { $0 + $1 * $1 }.squareRoot())
    let cosines = (0..<table.shape[0]).map { row in
      var product: Float = 0
      var square: Float = 0
      for column in 0..<width {
        let value = table.f32[row * width + column]
        product += value * token[column]
        square += value * value
      }
      return product / length / max(1e-12, square.squareRoot())
    }
    return Ranking.descending(cosines).prefix(count).map { (Int32($0), cosines[$0]) }
  }
}
