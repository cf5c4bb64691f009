/// What a model says of images with each of a list of triggers: forward only, and for any goal.
struct TriggerScan {
  /// `[candidates · n, E]`, L2-normalized.
  private let features: Tensor
  private let candidateCount: Int
  private let imageCount: Int
  private let collapseThreshold: Float

  /// Images that each candidate is tried on.
  private static let images = 32

  /// - Parameters:
  ///   - candidates: at least one, of one kind.
  ///   - images: `[n, 3, S, S]` in 0…1, of which the first few are used.
  init(
    _ candidates: [any TriggerSpace], model: CLIPModel, images: Tensor, precision: DType
  ) throws(CLIPError) {
    let few = images.slice(0..<min(Self.images, images.shape[0]))
    candidateCount = candidates.count
    imageCount = few.shape[0]
    collapseThreshold = candidates[0].kind.collapseThreshold
    let features = try Tensor([candidateCount * imageCount, model.configuration.embedDim])
    for (index, candidate) in candidates.enumerated() {
      try PixelMemory.forEachPiece(of: few) { (range, piece) throws(CLIPError) in
        let triggered = try Tensor(piece.shape)
        candidate.apply(to: piece, into: triggered)
        let rows = try model.unitFeatures(ofPixels: triggered, precision: precision)
        let first = index * few.shape[0] + range.lowerBound
        let target = features.slice(first..<first + range.count)
        for i in 0..<rows.count { target.f32[i] = rows.f32[i] }
      }
    }
    self.features = features
  }

  /// Returns the candidates that come nearest to a goal, the nearest first.
  ///
  /// - Parameter clean: `[≥ n, E]`, L2-normalized: of the same images without a trigger.
  func order(_ goal: SearchGoal, clean: Tensor) throws(CLIPError) -> [Int] {
    var rows = Array(0..<imageCount)
    if case .text(let index, let vocabulary) = goal {
      let read = try vocabulary.nearest(to: clean.slice(0..<imageCount))
      let others = rows.filter { read[$0] != index }
      if !others.isEmpty { rows = others }
    }
    let cleanMean = FeatureMatrix.mean(clean)
    var scores: [Float] = []
    for candidate in 0..<candidateCount {
      let part = try FeatureMatrix.gather(features, rows.map { candidate * imageCount + $0 })
      scores.append(
        try goal.measure(part, cleanMean: cleanMean, collapseThreshold: collapseThreshold).score)
    }
    return Ranking.descending(scores)
  }
}
