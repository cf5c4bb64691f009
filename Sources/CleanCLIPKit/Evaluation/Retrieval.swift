/// How well captions find their images and images their captions.
///
/// Recall at k is the fraction of queries with a right answer among the k most similar candidates. Every
/// query counts: CleanCLIP's published code ranks every fifth one and counts the rest as found.
package struct Retrieval: Equatable, Sendable {
  /// Images that find one of their captions, by k.
  package let imageToText: [EvaluationResult.Place]
  /// Captions that find their image, by k.
  package let textToImage: [EvaluationResult.Place]

  /// Queries whose similarities are in memory at a time.
  private static let block = 256

  /// Ranks all candidates for all queries.
  ///
  /// - Parameters:
  ///   - imageFeatures: `[n, E]`, L2-normalized.
  ///   - textFeatures: `[m, E]`, L2-normalized.
  ///   - imageOfText: for each caption the image that it describes, 0 ..< n.
  /// - Throws: `shape` when the numbers do not agree; `invalidArgument` for an image that is not
  ///   there or has no caption; `state` when features are not numbers.
  /// - Complexity: O(n m E) time, O(256 max(n, m)) memory.
  package init(
    imageFeatures: Tensor, textFeatures: Tensor, imageOfText: [Int]
  ) throws(CLIPError) {
    let images = imageFeatures.shape.rows
    let texts = textFeatures.shape.rows
    guard imageFeatures.shape.rank == 2, textFeatures.shape.rank == 2,
      imageFeatures.shape.columns == textFeatures.shape.columns, imageOfText.count == texts
    else {
      throw CLIPError(
        .shape,
        "retrieval: features do not agree; expected [n, E], [m, E] and m image numbers, got "
          + "\(imageFeatures.shape), \(textFeatures.shape) and \(imageOfText.count)")
    }
    var textsOfImage = [[Int]](repeating: [], count: images)
    for (text, image) in imageOfText.enumerated() {
      guard textsOfImage.indices.contains(image) else {
        throw CLIPError(
          .invalidArgument,
          "retrieval: caption \(text) belongs to no image; expected 0 to \(images - 1), "
            + "got \(image)")
      }
      textsOfImage[image].append(text)
    }
    guard let lonely = textsOfImage.firstIndex(where: \.isEmpty) else {
      imageToText = try Self.recall(imageFeatures, textFeatures) { textsOfImage[$0] }
      textToImage = try Self.recall(textFeatures, imageFeatures) { [imageOfText[$0]] }
      return
    }
    throw CLIPError(
      .invalidArgument, "retrieval: image \(lonely) has no caption; expected at least one, got 0")
  }

  private static func recall(
    _ queries: Tensor, _ candidates: Tensor, answers: (Int) -> [Int]
  ) throws(CLIPError) -> [EvaluationResult.Place] {
    let count = queries.shape.rows
    let columns = candidates.shape.rows
    var counts = TopCounts(classes: columns)
    for start in stride(from: 0, to: count, by: block) {
      let range = start..<min(count, start + block)
      let scores = try Tensor([range.count, columns], .f32)
      try LinearAlgebra.multiply(
        queries.slice(range), transposeA: false, candidates, transposeB: true, into: scores,
        alpha: 1, beta: 0)
      for query in range {
        let row = UnsafeBufferPointer(start: scores.f32 + (query - start) * columns, count: columns)
        guard row.allSatisfy(\.isFinite) else {
          throw CLIPError(
            .state, "retrieval: features are not numbers; expected finite values, got NaN")
        }
        counts.add(rank: answers(query).map { TopCounts.rank(of: $0, in: row) }.min() ?? columns)
      }
    }
    return counts.places
  }
}
