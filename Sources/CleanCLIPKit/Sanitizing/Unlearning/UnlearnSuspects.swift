internal import Glibc

/// Images that were taken out of training data as poisoned: real triggers, and where they lead.
///
/// Unlearning with them brings each to what images like it mean otherwise, after *Unlearning Backdoor
/// Threats* (Liang et al. 2024, arXiv:2403.16257), which unlearns with few suspicious pairs.
package struct UnlearnSuspects {
  /// `[n, 3, S, S]` in 0…1: those that are classified as the target. A list of suspects has others too.
  let images: Tensor
  /// The candidate that most are read as.
  package let target: Int
  /// Those that are, by the model as it was, of all.
  package let readAsTarget: Proportion
  /// What each shall mean, `[n, E]`, L2-normalized.
  package let meanings: Tensor

  /// Images at most, and the fraction of them that must be read alike.
  static let most = 512
  private static let leastAlike = 0.3
  /// Images whose meanings are taken together.
  private static let neighbours = 16

  /// Reads the images as the model's preprocessing does.
  static func read(
    _ dataset: PairDataset, imageSize: Int, preprocessing: ImagePreprocessing, seed: UInt64,
    log: (LogMessage) -> Void
  ) throws(CLIPError) -> Tensor {
    let images = try UnlearnImages.read(
      dataset, imageSize: imageSize, preprocessing: preprocessing, limit: most, seed: seed,
      fewest: 1, log: log
    ) { _ in true }
    return try images.gather(Array(0..<images.trainingCount + images.heldOutCount))
  }

  /// - Parameters:
  ///   - features: of `images`, L2-normalized, by the model as it was.
  ///   - others: features of images without a trigger, L2-normalized.
  ///   - vocabulary: the candidates.
  /// - Returns: `nil` when they are not read alike, so that they show no target.
  package init?(
    images: Tensor, features: Tensor, others: Tensor, vocabulary: TextVocabulary
  ) throws(CLIPError) {
    let target = try vocabulary.mostFrequent(of: features)
    let read = try vocabulary.nearest(to: features)
    readAsTarget = Proportion(read.count { $0 == target }, of: read.count)
    guard readAsTarget.value >= Self.leastAlike else { return nil }
    let rows = read.indices.filter { read[$0] == target }
    self.images = try images.images(at: rows)
    self.target = target
    let reading = try vocabulary.nearest(to: others)
    let clean = reading.indices.filter { reading[$0] != target }
    meanings = try Self.meanings(
      of: try FeatureMatrix.gather(features, rows),
      among: clean.isEmpty ? others : try FeatureMatrix.gather(others, clean))
  }

  /// What images would mean without what they have in common: the mean of the nearest others, when the
  /// direction from those to them is left out.
  private static func meanings(
    of features: Tensor, among others: Tensor
  ) throws(CLIPError) -> Tensor {
    let width = features.shape[1]
    let center = FeatureMatrix.mean(others)
    var shift = zip(FeatureMatrix.mean(features), center).map { $0 - $1 }
    let norm = max(1e-12, shift.reduce(0) { $0 + $1 * $1 }.squareRoot())
    for k in shift.indices { shift[k] /= norm }
    func without(_ rows: Tensor) throws(CLIPError) -> Tensor {
      let result = try Tensor(rows.shape)
      for row in 0..<rows.shape[0] {
        let own = rows.f32 + row * width
        let rest = result.f32 + row * width
        var along: Float = 0
        for k in 0..<width { along += (own[k] - center[k]) * shift[k] }
        var square: Float = 0
        for k in 0..<width {
          rest[k] = own[k] - center[k] - along * shift[k]
          square += rest[k] * rest[k]
        }
        let scale = 1 / max(1e-12, square.squareRoot())
        for k in 0..<width { rest[k] *= scale }
      }
      return result
    }
    let own = try without(features)
    let all = try without(others)
    let similarities = try Tensor([own.shape[0], all.shape[0]])
    try LinearAlgebra.multiply(own, all, transposeB: true, into: similarities)
    let result = try Tensor(features.shape)
    for row in 0..<own.shape[0] {
      let scores = (0..<all.shape[0]).map { similarities.f32[row * all.shape[0] + $0] }
      let nearest = Array(Ranking.descending(scores).prefix(neighbours))
      FeatureMatrix.writeUnitMean(
        of: try FeatureMatrix.gather(others, nearest), to: result.f32 + row * width)
    }
    return result
  }

  /// Puts some of the images in the place of others, and what they shall mean in the place of their meanings.
  ///
  /// - Parameters:
  ///   - rows: of `images` and `meanings`, which are overwritten.
  func draw(
    _ rows: Range<Int>, into images: Tensor, _ meanings: Tensor, using random: inout RandomNumbers
  ) {
    let area = self.images.count / self.images.shape[0]
    let width = self.meanings.shape[1]
    for row in rows {
      let index = random.integer(below: self.images.shape[0])
      memcpy(images.f32 + row * area, self.images.f32 + index * area, 4 * area)
      memcpy(meanings.f32 + row * width, self.meanings.f32 + index * width, 4 * width)
    }
  }
}
